// Checks the AsyncAPI document on standard input with the parser of the AsyncAPI initiative, whose file is the
// argument; prints one line for each fault, and nothing for a good document.
globalThis.self = globalThis;
const Parser = require(require("path").resolve(process.argv[2]));

async function main() {
  const text = require("fs").readFileSync(0, "utf8");
  const { document, diagnostics } = await new Parser().parse(text);
  // 0 is an error, 1 a warning; the others are advice, such as to use the latest version.
  const faults = diagnostics.filter((d) => d.severity < 2);
  for (const d of faults) console.log(`${d.path.join(".")}: ${d.message} (${d.code})`);
  if (!document && faults.length === 0) console.log("no document");
}

main();
