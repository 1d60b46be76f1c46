// Reads an AsyncAPI document with AsyncAPI's own parser; prints what it refuses, one line each.
//   node deploy/install/asyncapi.mjs docs/asyncapi.yaml
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const ERROR = 0; // the parser's severities: error, warning, information, hint
const SHOWN = 20; // one mistake comes back at every place that refers to it
const [path] = process.argv.slice(2);
if (!path) {
  console.error("Say which document: node deploy/install/asyncapi.mjs docs/asyncapi.yaml");
  process.exit(2);
}
const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"));
const errors = diagnostics.filter(({ severity }) => severity === ERROR);
for (const { path: place, message, range } of errors.slice(0, SHOWN)) {
  console.error(`${path}:${range.start.line + 1} ${place.join("/")}: ${message}`);
}
if (errors.length || !document) {
  console.error(`${path}: ${errors.length} errors`);
  process.exit(1);
}
console.log(`${path}: ${document.channels().length} channels, ${document.messages().length} messages`);
