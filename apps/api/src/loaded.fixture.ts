import { createRequire } from "node:module";

/** Prints how many files of the tensor runtimes are loaded after importing the module that is named. They are CommonJS. */
await import(process.argv[2] ?? "");
const files = Object.keys(createRequire(import.meta.url).cache);
console.log(files.filter((file) => /@tensorflow|onnxruntime/.test(file)).length);
