{
  description = "Keeps the secrets of JSON configs encrypted at rest: command and C library";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      root = ../../..;
      cargo = builtins.fromTOML (builtins.readFile (root + "/Cargo.toml"));
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      package =
        pkgs:
        pkgs.rustPlatform.buildRustPackage {
          pname = "fernseal";
          version = cargo.workspace.package.version;
          src = root;
          cargoLock.lockFile = root + "/Cargo.lock";
          nativeBuildInputs = [ pkgs.python3 ]; # writes the manual pages of the library
          postPatch = "patchShebangs cli ffi";
          buildPhase = ''
            runHook preBuild
            for part in cli ffi; do
              DESTDIR=$PWD/stage PREFIX=$out CARGOFLAGS=--offline $part/install.sh
            done
            runHook postBuild
          '';
          installPhase = ''
            runHook preInstall
            mkdir -p $out
            cp -a stage/$out/. $out
            runHook postInstall
          '';
          doCheck = false; # the tests need much that is not in the sandbox
          meta = {
            description = "Keeps the secrets of JSON configs encrypted at rest";
            homepage = "https://github.com/fernseal/fernseal";
            license = [
              pkgs.lib.licenses.mit
              pkgs.lib.licenses.asl20
            ];
            mainProgram = "fernseal";
            platforms = pkgs.lib.platforms.linux;
          };
        };
    in
    {
      packages = nixpkgs.lib.genAttrs systems (system: {
        default = package nixpkgs.legacyPackages.${system};
      });
    };
}
