export { tf } from "./tf.ts";
export { initEngine, type InitOptions } from "./runtime/init.ts";
export { nativeBinding, type NativeBinding } from "./runtime/native.ts";
