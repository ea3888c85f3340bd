"""Texts of .env files in the dialects of Docker Compose, dotenv, python-dotenv and shells. They cover what the tests of
these programs cover, in our words. Each form of a value occurs alone, among others, exported, with comments, with CR
LF, and with a byte order mark."""

# Texts after the equals sign. Some of them must be refused.
VALUES = [
    "", "basic", "basic   ", "with-dash", "with.dot", "with_underscore", "1234", "true", "null", "a:b", "a=b", "a==", "=a",
    "http://host:80/path?x=1", "http://host/?a=1&b=2", "user@host.example", "*", "{}", "{\"a\":1}", "[1,2]", "[a]*?", "!x",
    "a,b,c", "%PATH%", "50%", "ünïcödé", "日本語", "a b", "a  b  c", "a # comment", "a #comment", "a# no comment", "a#b", "#a", "# a",
    "a # it's", "a # \"x", "a # `x`", "''", "'a'", "'a b'", "' a '", "'a'   ", "'a' # comment", "'a'#b", "'a' b", "'#a'", "'a # b'",
    "'$HOME'", "'${HOME}'", "'$(x)'", "'a\\nb'", "'a\\\\b'", "'C:\\dir\\x'", "'a\\'", "'it\\'s'", "'say \"hi\"'", "'`x`'",
    "'{\"a\": \"b\"}'", "'ünï cödé'", "'a\tb'", "'a\nb'", "'\na\n'", "'a\n\nb # c\n'", "\"\"", "\"a\"", "\"a b\"", "\" a \"", "\"a\" # c",
    "\"a\"#b", "\"a\"b", "\"#a\"", "\"a # b\"", "\"$HOME\"", "\"${HOME}\"", "\"${HOME:-x}\"", "\"\\$HOME\"", "\"a\\nb\"", "\"a\\tb\"",
    "\"a\\\\b\"", "\"a\\\"b\"", "\"a\\\\\"", "\"it's\"", "\"`x`\"", "\"{'a': 'b'}\"", "\"a\nb\"", "\"\na\nb\n\"", "\"a\n'b'\nc\"", "\"a\n# b\nc\"",
    "\"a\nB=c\"", "\"!x\"", "\"ünï cödé\"", "\"-----BEGIN KEY-----\nMIIBOgIBAAJB\nAKj34G==\n-----END KEY-----\"", "`a`", "`a 'b' \"c\"`", "`a\nb`",
    "it's", "it's it's", "say \"hi\"", "a'b'c", "\"a", "'a", "`a", "$HOME", "${HOME}", "${HOME:-a}", "$(x)", "a$", "a\\b", "a\\", "a\\ b", "~", "~/x",
    "a~b", "a:~/b", "a;b", "a|b", "a&b", "a<b", "a>b", "(a)", "a(b)", " a", "\ta", " 'a'", " \"a\"", " # a", "a\tb", "a\u00a0", "a\u00a0b",
    "a\u3000", "a\u2028b", "a\x0bb", "a\x0c", "'a\x0bb'", "\"a\x1bb\"", "a\x7f", "'a\u00a0'", "😀", "'😀 x'",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "ghp_0123456789abcdefABCDEF", "AKIA0123456789ABCDEF",
    "postgres://user:pass@db:5432/app", "\"postgres://user:pa ss@db/app\"", "redis://:p%40ss@h:6379/0", "a/b+c==", "sk-live_0123",
]

# Beginnings of an assignment, in place of `A=`.
NAMES = ["A=", "export A=", "export  A=", "  A=", "A =", "A= ", "a.b=", "a-b=", "_A1=", "1A=", "Ä=", "A:", "A: "]

# Lines that are not a plain assignment of a value.
LINES = ["A", "export A", "export", "=a", "A B=c", "a b c", "# A=b", "   # c", "", "   ", "\t", "if true; then A=b; fi", "[section]", "A+=b", "A[0]=b", "A=b=c"]


# Texts after the equals sign in an INI file. Some of them must be refused.
INI_VALUES = [value for value in VALUES if "\n" not in value] + [
    "a ; b", "a;b", "; b", "a\\", "%(x)s", "50%%", "%n", "yes", "on", "a   b", "a\tb", "\"a b\"", "a \"b\" c", "a, b", "/usr/bin/x --y z", "a: b",
]
INI_LINES = ["a", "a:", "a: b", "[s]", "[t", "[t] # c", "[t] c", '[t "u"]', "  indented = 1", "= x", "include x", "<x>", "a = b = c", "A = 2", "! c", "a.b = 1"]


# Lines that some readers take for a part of the value above.
INI_SHARED = [
    "a = 1\n  b = 2\n  c = 3\nd = 4\n", "\ta=1\n\tb=2\n[t]\n\tc=3\n", "  a = 1\n b = 2\n  c = 3\nd = 4\n",
    "a = 1\n\n  b = 2\nc = 3\n", "a = 1\n# c\n  b = 2\nc = 3\n", "a =\n  x\n  y\nb = 2\n", "  a = 1\n  [t]\n  b = 2\n",
    "a = 1\n  ; c\nb = 2\n", "a = x \\\n  y\nb = 2\n", "a = x\\\nb = 2\nc = 3\n", "a = x\\\n\nb = 2\n", "a = 1\n  b\n",
    '[t "u"]\nb = 1\n[v]\nc = 2\n', "[t.u]\nb = 1\n[v] ; c\nc = 2\n[w]\nd = 3\n",
]


def ini_files():
    """Yields file names and texts. Names in the texts follow git's rules: letters, digits and -."""
    for at, value in enumerate(INI_VALUES):
        yield f"among-{at}.ini", f"; it's\n[s]\nfirst = 1\na = {value}\n# c\n\n[t-u]\na-b={value}\nlast=2\n"
        if at % 4 == 0:
            yield f"crlf-{at}.ini", f"[s]\r\na={value}\r\nlast = 2\r\n"
            yield f"no-end-{at}.ini", f"[s]\na={value}"
    for at, line in enumerate(INI_LINES):
        yield f"line-{at}.ini", f"[s]\na = 1\n{line}\nlast = 2\n"
    for at, lines in enumerate(INI_SHARED):
        yield f"shared-{at}.ini", f"[s]\nfirst = 0\n[s-t]\n{lines}"


def files():
    """Yields names and texts."""
    for at, value in enumerate(VALUES):
        yield f"alone-{at}.env", f"A={value}\n"
        yield f"no-end-{at}.env", f"A={value}"
        yield f"among-{at}.env", f"# it's a comment\nFIRST=1\n\nexport A={value}\n# \"another\nLAST='the end' # c\n"
        if at % 3 == 0:
            yield f"crlf-{at}.env", f"FIRST=1\r\nA={value}\r\n\r\nLAST=\"2\"\r\n"
        if at % 5 == 0:
            yield f"mark-{at}.env", f"\ufeff# c\nA={value}\nLAST=2\n"
            yield f"mark-first-{at}.env", f"\ufeffA={value}\nLAST=2\n"
    for at, name in enumerate(NAMES):
        for value_at, value in enumerate(["b", "'b c'", "\"b\"", "", "b # c"]):
            yield f"name-{at}-{value_at}.env", f"FIRST=1\n{name}{value}\nLAST=2\n"
    for at, line in enumerate(LINES):
        yield f"line-{at}.env", f"FIRST=1\n{line}\nLAST=2\n"
    yield "twice.env", "A=1\nB=2\nA=3\n"
    yield "empty.env", ""
    yield "cr.env", "A=1\rB=2\n"
    clear = [value for value in VALUES if "\n" not in value and not set(value) & set("\"'`\\$#~&|;<>() \t\x0b\x0c\u2028\u00a0\u3000")]
    for at in range(0, len(clear), 4):
        yield f"many-{at}.env", "".join(f"V{index}={value}\n" for index, value in enumerate(clear[at : at + 8]))
