// Reads contracts/asyncapi.yaml, or the files named, with AsyncAPI's official parser: exit 1 where it finds an error or
// a warning. `npm ci --ignore-scripts && node check.mjs` in this folder.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const SEVERITIES = ["error", "warning", "information", "hint"];
const NEWER = "asyncapi-latest-version"; // says only that another edition of the specification exists

const files = process.argv.length > 2 ? process.argv.slice(2) : [new URL("../asyncapi.yaml", import.meta.url)];
let wrong = 0;
for (const file of files) {
  const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"));
  const found = diagnostics.filter((d) => d.code !== NEWER);
  for (const d of found) {
    console.error(`${SEVERITIES[d.severity]}: ${d.path.join(".")}: ${d.message} (${d.code})`);
  }
  wrong += found.filter((d) => d.severity < 2).length + (document === undefined ? 1 : 0);
  if (document !== undefined) {
    const counts = [document.channels(), document.operations(), document.messages()].map((c) => c.all().length);
    console.log(`AsyncAPI ${document.version()}: ${counts[0]} channels, ${counts[1]} operations, ${counts[2]} messages`);
  }
}
process.exitCode = wrong ? 1 : 0;
