// Called in the page: what the steps of random numbers give, and what the network has.
async count => {
  const { forward, backward, total, weightGradient } = await import("/rules.js");
  const { net, pass } = explorer;
  let seed = 1;
  const random = n => { seed = (seed * 48271) % 2147483647; return seed % n; };
  const found = [];
  const apart = (kind, v, at, made, is, size) => found.push([
    kind, net.values[v].rule.is, v, at, made, is, Math.abs(made - is) / Math.max(size, Math.abs(is), 1e-6)]);
  const most = groups => groups.reduce((m, g) => g.terms.reduce((a, t) => Math.max(a, Math.abs(t.x * t.w)), m), 0);
  for (let v = 0; v < net.values.length; v++) {
    const length = pass.values[v].data.length;
    for (let n = 0; n < count; n++) {
      const at = random(length);
      const steps = v ? forward(net, pass, v, at) : null;
      if (steps?.linear) apart("forward", v, at, total(steps.groups) + steps.constant, pass.values[v].data[at], most(steps.groups));
      if (v < net.values.length - 1) {
        const { groups, whole } = backward(net, pass, v, at);
        if (whole) apart("backward", v, at, total(groups), pass.gradients[v].data[at], most(groups));
      }
    }
    for (const [name, path] of Object.entries(net.values[v].parameters ?? {})) {
      const gradient = pass.parameterGradients.get(path);
      if (!gradient) continue;
      for (let n = 0; n < count; n++) {
        const at = random(gradient.data.length), made = weightGradient(net, pass, v, name, at);
        if (!made) continue;
        const group = { terms: made.terms };
        apart(name, v, at, total([group]), gradient.data[at], most([group]));
      }
    }
  }
  return found;
}
