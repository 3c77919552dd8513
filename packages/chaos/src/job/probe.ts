/** Takes the place of the worker's probe: a chaos job needs neither tensors nor data sets. */
const backend = { backend: "wasm", version: "none", gpu: false, threads: 1 };
process.send?.({ backend, datasets: [], warnings: [] }, undefined, {}, () => process.exit(0));
