// The other readers in JavaScript, the packages yaml and dotenv: cases on stdin, as the program writes them; what is wrong,
// and at the end the counts, on stdout.  node peers.mjs yaml|env FOLDER_OF_node_modules
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { resolve } from "node:path";

const [kind, modules, mode] = process.argv.slice(2);
const require = createRequire(resolve(modules) + "/");
const reader = { yaml: "yaml", env: "dotenv" }[kind];
const library = require(reader);

const read = {
  yaml(text) {
    const flat = [];
    for (const document of library.parseAllDocuments(text, { uniqueKeys: false, logLevel: "silent" })) {
      if (document.errors.length) throw document.errors[0];
      library.visit(document, {
        Scalar: (_, node) => { flat.push([typeof node.value, String(node.value), node.tag ?? ""]); },
        Alias: (_, node) => { flat.push(["alias", node.source, ""]); },
        Collection: (_, node) => { flat.push(["collection", String(node.items.length), node.tag ?? ""]); },
      });
      flat.push(["document", "", ""]);
    }
    return flat;
  },
  env: (text) => Object.entries(library.parse(text)).map(([name, value]) => ["string", value, name]),
}[kind];

const spliced = (data, [start, end, text]) => Buffer.concat([data.subarray(0, start), Buffer.from(text), data.subarray(end)]);

const fault = (before, after, wanted, told) => {
  if (before.length !== after.length) return "another number of values";
  const other = before.map((old, at) => [old, after[at]]).filter(([old, now]) => old.some((part, at) => part !== now[at]));
  if (!other.length && wanted === told.plain) return null;
  if (other.length !== 1) return `${other.length} values changed`;
  const [[old, now]] = other;
  if (now[0] !== "string" || now[1] !== wanted) return `it is read as ${JSON.stringify(now)}`;
  if (told.kind === "String" && (old[0] !== "string" || old[1] !== told.plain)) return `it was read as ${JSON.stringify(old)}`;
  return null;
};

if (mode === "secrets") {
  // Pairs of a secret and a text that says it, on stdin: those are told that do not.
  const wrong = [];
  for (const [secret, text] of JSON.parse(readFileSync(0))) {
    let after;
    try {
      after = read(text);
    } catch (error) {
      after = [["error", String(error)]];
    }
    if (!after.some(([type, value]) => type === "string" && value === secret)) wrong.push([secret, text, after]);
  }
  process.stdout.write(JSON.stringify(wrong), () => process.exit());
}

const count = {};
const add = (name) => { count[name] = (count[name] ?? 0) + 1; };
let data, before;
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  if ("leaves" in told) {
    data = readFileSync(told.file);
    try {
      before = read(data.toString());
    } catch {
      before = null;
      add(`files that ${reader} (npm) does not read`);
    }
    continue;
  }
  if (!before) continue;
  const sealed = spliced(data, told.sealed);
  const texts = [["sealed", sealed, told.token]];
  if (told.opened) texts.push(["opened", spliced(sealed, told.opened), told.plain]);
  for (const [what, text, wanted] of texts) {
    let wrong;
    try {
      wrong = fault(before, read(text.toString()), wanted, told);
    } catch (error) {
      wrong = String(error);
    }
    add(`compared by ${reader} (npm)`);
    if (wrong) console.log(JSON.stringify({ reader: `${reader} (npm)`, what, file: told.file, pointer: told.pointer, wrong }));
  }
}
console.log(JSON.stringify({ count }));
