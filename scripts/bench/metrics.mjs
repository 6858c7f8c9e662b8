/** Prometheus' text format: `name{label="value",…} number` a line, comments behind `#`. */
export function parseMetrics(text) {
  const samples = text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, labels, value: Number(value) }];
  });
  const matching = (name, label) =>
    samples.filter((sample) => sample.name === name && (!label || sample.labels.includes(label)));
  return {
    /** The sum of a metric's samples; of those with `label`, written `name="value"`, where that is given. */
    total: (name, label) => matching(name, label).reduce((total, { value }) => total + value, 0),
  };
}
