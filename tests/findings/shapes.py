"""Sixty shapes of config, as real programs use them, with marks in the places of secrets.

`@kind@` is replaced with a secret that `corpus.py` generates: see `Kinds` there. All other values are not secrets. They
include placeholders, paths, references, flags and names that only sound like a secret: a finding there is a false
alarm.
"""

SHAPES = [
    # JSON
    ("proxmox-mcp.json", '{"proxmox":{"host":"pve.lan","port":8006,"verify_ssl":false},"auth":{"user":"root@pam",'
     '"token_name":"mcp","token_value":"@uuid@"},"logging":{"level":"INFO","file":"/var/log/mcp.log"}}'),
    ("claude_desktop.json", '{"mcpServers":{"github":{"command":"npx","args":["-y","@modelcontextprotocol/server-github"],'
     '"env":{"GITHUB_PERSONAL_ACCESS_TOKEN":"@github@"}},"brave":{"command":"npx","env":{"BRAVE_API_KEY":"@alnum31@"}},'
     '"files":{"command":"npx","args":["/home/u/docs"]}}}'),
    ("mcp-args.json", '{"servers":{"db":{"command":"uvx","args":["postgres-mcp","--access-mode=unrestricted",'
     '"postgresql://app:@urlpw@@db.lan:5432/app"]},"jira":{"command":"uvx","args":["mcp-atlassian","--jira-token",'
     '"@alnum24@","--jira-username","u@corp.lan"]},"x":{"url":"https://mcp.corp.lan/sse","headers":{"Authorization":"Bearer @alnum40@"}}}}'),
    ("docker-config.json", '{"auths":{"https://index.docker.io/v1/":{"auth":"@basic@"},"ghcr.io":{"auth":"@basic@"}},'
     '"credsStore":"desktop","HttpHeaders":{"User-Agent":"Docker-Client/24.0"}}'),
    ("appsettings.json", '{"Logging":{"LogLevel":{"Default":"Information"}},"ConnectionStrings":{"Default":'
     '"Server=db.lan;Database=shop;User Id=sa;Password=@password@;TrustServerCertificate=true"},"Jwt":{"Issuer":"shop",'
     '"Audience":"web","Key":"@base64_44@"},"SendGrid":{"ApiKey":"@sendgrid@"}}'),
    ("service-account.json", '{"type":"service_account","project_id":"p-1","private_key_id":"@!hex40@","private_key":"@pem@",'
     '"client_email":"x@p-1.iam.gserviceaccount.com","client_id":"104857600000000000000","token_uri":"https://oauth2.googleapis.com/token"}'),
    ("zigbee2mqtt.json", '{"mqtt":{"server":"mqtt://localhost","user":"z2m","password":"@password@"},"serial":{"port":"/dev/ttyUSB0"},'
     '"frontend":{"auth_token":"@alnum24@"},"advanced":{"log_level":"info"}}'),
    ("homebridge.json", '{"bridge":{"name":"Homebridge","username":"0E:11:22:33:44:55","port":51826,"pin":"031-45-154"},'
     '"platforms":[{"platform":"Unifi","controller":"https://192.168.1.1","username":"hb","password":"@password@"},'
     '{"platform":"Ring","refreshToken":"@jwt@"}]}'),
    ("tfvars.json", '{"region":"eu-central-1","db_username":"app","db_password":"@alnum20@","cloudflare_api_token":"@alnum40@",'
     '"ssh_public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0n3vX2kq7Zp u@h","instance_type":"t3.micro"}'),
    ("ecs-task.json", '{"family":"web","containerDefinitions":[{"name":"web","image":"web:1.2","environment":[{"name":"DB_HOST","value":"db.lan"},'
     '{"name":"DB_PASSWORD","value":"@password@"},{"name":"SECRET_KEY_BASE","value":"@hex128@"}],"secrets":[{"name":"API_KEY",'
     '"valueFrom":"arn:aws:secretsmanager:eu-central-1:1:secret:api"}]}]}'),
    ("firebase.json", '{"apiKey":"@google@","authDomain":"p.firebaseapp.com","projectId":"p","storageBucket":"p.appspot.com",'
     '"messagingSenderId":"483020123456","appId":"1:483020123456:web:a1b2c3d4"}'),
    ("wordpress-backup.json", '{"site":"blog.lan","ftp":{"host":"ftp.lan","user":"blog","pass":"@strong@"},"salts":{"AUTH_KEY":"@strong64@",'
     '"SECURE_AUTH_KEY":"@strong64@"}}'),
    ("grafana-datasource.json", '{"name":"Influx","type":"influxdb","url":"http://influx:8086","basicAuth":true,"basicAuthUser":"g",'
     '"secureJsonData":{"basicAuthPassword":"@password@","token":"@base64_88@"},"jsonData":{"organization":"home"}}'),
    ("vscode-settings.json", '{"editor.tabSize":4,"http.proxy":"http://dev:@urlpw@@proxy.corp.lan:3128","rest-client.environmentVariables":'
     '{"prod":{"apiToken":"@hex40@","host":"https://api.corp.lan"}},"workbench.colorTheme":"Default Dark+"}'),
    ("n8n-credentials.json", '[{"id":"1","name":"Slack","type":"slackApi","data":{"accessToken":"@slack@"}},'
     '{"id":"2","name":"Postgres","type":"postgres","data":{"host":"db","user":"n8n","password":"@password@"}}]'),
    ("tslint-like.json", '{"api":{"key":"@hex32@","secret":"@alnum40@","baseUrl":"https://api.exchange.test"},"dryRun":true,"maxTokens":4096}'),
    # YAML
    ("compose.yaml", "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_USER: app\n      POSTGRES_PASSWORD: @password@\n"
     "      POSTGRES_DB: app\n  web:\n    image: web:1\n    environment:\n      - DATABASE_URL=postgres://app:@urlpw@@db/app\n"
     "      - SECRET_KEY=@alnum50@\n      - DEBUG=false\n    env_file: .env\n"),
    ("compose-nextcloud.yml", "services:\n  nextcloud:\n    environment:\n      MYSQL_PASSWORD: '@password@'\n      NEXTCLOUD_ADMIN_PASSWORD: \"@strong@\"\n"
     "      NEXTCLOUD_ADMIN_USER: admin\n      MYSQL_PASSWORD_FILE: /run/secrets/db\n      SMTP_PASSWORD: ${SMTP_PASSWORD}\n"),
    ("k8s-secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\n  namespace: prod\ntype: Opaque\ndata:\n  DB_PASS: @b64pw@\n  license: @base64_44@\n"
     "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app\ndata:\n  LOG_LEVEL: debug\n  SECRET_NAME: app\n"),
    ("k8s-stringdata.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: cloudflare}\nstringData:\n  api-token: @alnum40@\n  username: admin\n  password: @password@\n"),
    ("k8s-deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        env:\n"
     "        - name: REDIS_PASSWORD\n          value: @password@\n        - name: DB_PASSWORD\n          valueFrom: {secretKeyRef: {name: db, key: password}}\n"
     "        - name: STRIPE_KEY\n          value: @stripe@\n        - name: TOKEN_TTL\n          value: '3600'\n"),
    ("helm-values.yaml", "postgresql:\n  auth:\n    username: app\n    password: @password@\n    existingSecret: ''\nredis:\n  auth: {enabled: true, password: @alnum20@}\n"
     "ingress: {tls: [{secretName: app-tls}]}\nimage: {tag: '1.2.3', pullSecrets: [regcred]}\nsmtp:\n  apiKey: @sendgrid@\n"),
    ("home-assistant-secrets.yaml", "wifi_password: @password@\nmqtt_user: ha\nmqtt_password: @strong@\ntelegram_bot_token: @telegram@\nhome_latitude: '52.52'\n"
     "influx_token: @base64_88@\n"),
    ("esphome.yaml", "esphome:\n  name: node1\napi:\n  encryption:\n    key: \"@base64_44@\"\nota:\n  - platform: esphome\n    password: \"@hex32@\"\nwifi:\n  ssid: home\n"
     "  password: !secret wifi_password\n  ap:\n    ssid: fallback\n    password: \"@alnum12@\"\n"),
    ("frigate.yml", "mqtt:\n  host: 192.168.1.4\n  user: frigate\n  password: '@password@'\ncameras:\n  front:\n    ffmpeg:\n      inputs:\n"
     "      - path: rtsp://admin:@urlpw@@192.168.1.20:554/stream1\n        roles: [detect]\n"),
    ("authelia.yml", "theme: dark\njwt_secret: @alnum64@\nsession:\n  name: authelia_session\n  secret: @alnum64@\n  expiration: 1h\nstorage:\n  encryption_key: @hex64@\n"
     "  postgres:\n    address: tcp://db:5432\n    username: authelia\n    password: @password@\nauthentication_backend:\n  password_reset: {disable: false}\n"
     "  file: {path: /config/users.yml, password: {algorithm: argon2id}}\n"),
    ("gitlab-ci.yml", "variables:\n  DOCKER_DRIVER: overlay2\n  DEPLOY_TOKEN: \"@gitlab@\"\n  NPM_TOKEN: $CI_NPM_TOKEN\nbuild:\n  script:\n  - docker login -u ci -p $CI_REGISTRY_PASSWORD\n"
     "  - curl -H 'PRIVATE-TOKEN: @gitlab@' https://gitlab.lan/api\n"),
    ("github-workflow.yml", "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    permissions: {id-token: write}\n    env:\n      AWS_ACCESS_KEY_ID: @aws@\n"
     "      AWS_SECRET_ACCESS_KEY: @awssecret@\n      GH_TOKEN: ${{ secrets.GITHUB_TOKEN }}\n    steps:\n    - uses: actions/checkout@v4\n      with: {token: '${{ github.token }}'}\n"),
    ("ansible-vars.yml", "mysql_root_password: @password@\nvault_addr: https://vault.lan\nvault_token: @vault@\nadmin_users: [alice]\n"
     "grafana_admin_password: \"{{ lookup('env', 'GF_PW') }}\"\nssl_key_path: /etc/ssl/private/x.key\n"),
    ("inventory.yml", "all:\n  hosts:\n    web1: {ansible_host: 10.0.0.5, ansible_user: root, ansible_ssh_pass: @strong@, ansible_become_pass: '@password@'}\n"),
    ("rails-secrets.yml", "development:\n  secret_key_base: @hex128@\nproduction:\n  secret_key_base: <%= ENV['SECRET_KEY_BASE'] %>\n  stripe:\n    secret: @stripe@\n"),
    ("database.yml", "default: &default\n  adapter: postgresql\n  pool: 5\nproduction:\n  username: shop\n  password: @password@\n  url: postgres://shop:@urlpw@@db.lan/shop\n"),
    ("spring.yml", "spring:\n  datasource:\n    url: jdbc:postgresql://db.lan/app\n    username: app\n    password: @strong@\n  mail: {host: smtp.lan, password: '@password@'}\n"
     "  security: {oauth2: {client: {registration: {okta: {client-id: 0oa1b2c3, client-secret: @alnum40@}}}}}\n"),
    ("prometheus.yml", "scrape_configs:\n- job_name: pve\n  metrics_path: /pve\n  basic_auth: {username: prom, password: @password@}\n- job_name: ha\n"
     "  bearer_token: @jwt@\n  authorization: {type: Bearer, credentials_file: /etc/prom/token}\n"),
    ("alertmanager.yml", "global:\n  slack_api_url: https://hooks.slack.com/services/T@upper8@/B@upper8@/@alnum24@\n  smtp_auth_username: am\n  smtp_auth_password: '@password@'\n"
     "receivers:\n- name: pd\n  pagerduty_configs: [{service_key: @hex32@}]\n"),
    ("traefik-labels.yml", "services:\n  t:\n    labels:\n      traefik.enable: 'true'\n      traefik.http.routers.t.rule: Host(`t.lan`)\n    environment:\n      CF_DNS_API_TOKEN: @alnum40@\n"),
    ("cloud-init.yaml", "users:\n- name: admin\n  lock_passwd: false\n  plain_text_passwd: @password@\n  ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq0f2n1]\npackage_update: true\n"
     "write_files:\n- path: /etc/wireguard/wg0.key\n  content: |\n    @pem@\n"),
    ("serverless.yml", "service: api\nprovider:\n  name: aws\n  environment:\n    JWT_SECRET: @alnum32@\n    OPENAI_API_KEY: @openai@\n    TABLE: ${self:custom.table}\n    TOKEN_EXPIRY: 3600\n"),
    ("mkdocs-like.yml", "site_name: Docs\nextra:\n  analytics: {provider: google, property: G-ABCDEF1234}\nplugins:\n- search\n- git-committers: {repository: a/b, token: @github@}\n"),
    ("netplan.yaml", "network:\n  version: 2\n  wifis:\n    wlan0:\n      dhcp4: true\n      access-points:\n        home:\n          password: \"@password@\"\n"),
    ("litellm.yaml", "model_list:\n- model_name: gpt\n  litellm_params: {model: openai/gpt-4o, api_key: @openai@, max_tokens: 4096}\n- model_name: claude\n"
     "  litellm_params: {model: anthropic/claude, api_key: @anthropic@}\ngeneral_settings: {master_key: sk-@alnum20@}\n"),
    # .env
    ("web.env", "NODE_ENV=production\nPORT=3000\nDATABASE_URL=postgresql://app:@urlpw@@localhost:5432/app\nJWT_SECRET=@alnum32@\nSESSION_SECRET=@hex64@\n"
     "STRIPE_SECRET_KEY=@stripe@\nSTRIPE_PUBLISHABLE_KEY=pk_live_51H8xYzAbCdEfGhIj\nTOKEN_EXPIRES_IN=7d\n"),
    ("laravel.env", "APP_NAME=Shop\nAPP_KEY=base64:@base64_44@\nDB_CONNECTION=mysql\nDB_PASSWORD=@password@\nMAIL_PASSWORD=null\nREDIS_PASSWORD=null\nPUSHER_APP_SECRET=@hex20@\nPASSWORD_RESET_TIMEOUT=60\n"),
    ("django.env", "DEBUG=0\nSECRET_KEY=@strong50@\nALLOWED_HOSTS=a.lan\nEMAIL_HOST_PASSWORD=@password@\nSENTRY_DSN=https://@!hex32@@o1.ingest.sentry.io/2\n"),
    ("bot.env", "DISCORD_TOKEN=@discord@\nCLIENT_ID=112233445566778899\nTELEGRAM_TOKEN=@telegram@\nLOG_LEVEL=info\n"),
    ("cloud.env", "AWS_ACCESS_KEY_ID=@aws@\nAWS_SECRET_ACCESS_KEY=@awssecret@\nAWS_REGION=eu-west-1\nHCLOUD_TOKEN=@alnum64@\nDIGITALOCEAN_TOKEN=@do@\n"),
    ("pi.env", "PIHOLE_WEBPASSWORD=@password@\nTZ=Europe/Berlin\nWIREGUARD_PRIVATE_KEY=@base64_44@\nWIREGUARD_PUBLIC_KEY=@!base64_44@\nVPN_PRESHARED_KEY=@base64_44@\n"),
    ("ai.env", "ANTHROPIC_API_KEY=@anthropic@\nHF_TOKEN=@hf@\nGROQ_API_KEY=@groq@\nOPENAI_API_KEY=your-api-key-here\nMAX_TOKENS=2048\nTOKENIZERS_PARALLELISM=false\n"),
    ("keys.env", "VAULT_TOKEN=@vault@\nGITHUB_APP_PRIVATE_KEY=\"@pemline@\"\nDB_PASSWORD_2=@strong@\nKEY_FILE=/etc/app/key.pem\nX_API_KEY=@uuid@\n"),
    # TOML
    ("config.toml", "title = 'x'\n[database]\nhost = 'db'\nuser = 'app'\npassword = '@password@'\n[auth]\ntoken_endpoint = 'https://id.lan/token'\nclient_id = 'app'\nclient_secret = '@alnum40@'\n"),
    ("cargo-credentials.toml", "[registry]\ntoken = \"@crates@\"\n[registries.corp]\ntoken = \"Bearer @alnum40@\"\nindex = \"sparse+https://crates.corp.lan/\"\n"),
    ("influx.toml", "[[outputs.influxdb_v2]]\nurls = ['http://influx:8086']\ntoken = '@base64_88@'\norganization = 'home'\nbucket = 'b'\n[[inputs.mqtt_consumer]]\nservers = ['tcp://mqtt:1883']\nusername = 't'\npassword = '@password@'\n"),
    ("netlify.toml", "[build]\ncommand = 'npm run build'\n[context.production.environment]\nAPI_KEY = '@alnum32@'\nNODE_VERSION = '20'\n"),
    ("pypirc.toml", "[tool.x]\nrepository = 'https://upload.corp.lan/'\nusername = '__token__'\npassword = '@pypi@'\n"),
    ("synapse.toml", "server_name = 'm.lan'\nregistration_shared_secret = '@strong50@'\nmacaroon_secret_key = '@strong50@'\nform_secret = '@strong50@'\nsigning_key_path = '/data/m.key'\n"),
    ("rustapp.toml", "[smtp]\nhost = 'smtp.lan'\ncredentials = { username = 'a@b.lan', password = '@password@' }\n[redis]\nurl = 'redis://:@urlpw@@redis:6379/0'\n"),
    # INI and properties
    ("grafana.ini", "[security]\nadmin_user = admin\nadmin_password = @password@\nsecret_key = @alnum20@\n[smtp]\nenabled = true\nhost = smtp.lan:587\npassword = \"\"\"@strong@\"\"\"\n[auth]\ndisable_login_form = false\n"),
    ("my.ini", "[client]\nuser = backup\npassword = @password@\nsocket = /run/mysqld/mysqld.sock\n[mysqld]\ndefault_authentication_plugin = caching_sha2_password\n"),
    ("gitea.ini", "[database]\nDB_TYPE = postgres\nPASSWD = `@strong@`\n[security]\nINTERNAL_TOKEN = @jwt@\nPASSWORD_HASH_ALGO = pbkdf2\nSECRET_KEY = @alnum64@\n[oauth2]\nJWT_SECRET = @base64url_43@\n"),
    ("app.properties", "spring.datasource.username=app\nspring.datasource.password=@password@\njwt.secret=@base64_88@\nserver.ssl.key-store=classpath:ks.p12\nserver.ssl.key-store-password=@alnum12@\naws.secretKey=@awssecret@\n"),
]
