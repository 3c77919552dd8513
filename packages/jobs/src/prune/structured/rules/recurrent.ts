import { firstInput, opaque, type Rule } from "./rule.ts";

/** A recurrent layer of hidden units: kernel [inputs, gates * units], recurrent_kernel [units, gates * units], bias [gates * units]. */
function recurrent(gates: number): Rule {
  return (use) => {
    if (use.inputs.length > 1) return opaque("its first state comes from another layer");
    if (use.config["return_state"] === true) return opaque("it gives its state as well");
    use.bind("kernel", 0, firstInput(use));
    const units = use.produce("recurrent_kernel", 0);
    const gated = Array.from({ length: gates }, () => units).flat();
    use.bind("kernel", 1, gated);
    use.bind("recurrent_kernel", 1, gated);
    use.bind("bias", 0, gated);
    use.resize("units", units);
    return units;
  };
}

export const recurrentRules: Record<string, Rule> = {
  SimpleRNN: recurrent(1),
  GRU: recurrent(3),
  LSTM: recurrent(4),
};
