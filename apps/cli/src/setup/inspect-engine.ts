/** Run as a program: loads the tensor runtime as a worker does and prints what it is; so the CLI never loads TensorFlow. */
import { initEngine } from "@whittle/engine";

const info = await initEngine({ warn: () => {} });
console.log(JSON.stringify(info));
