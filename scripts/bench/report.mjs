import { LEVELS, OPERATIONS, SATURATED } from './operations.mjs';
import { median, percentile, sum } from './statistics.mjs';
import { table } from './table.mjs';

/** What other programs may use before they bend the figures. */
const QUIET_SHARE = 0.05;

const WANTED = { interference: 2.5, loopDelayMs: 20 };

/** Medians over the rounds; percentiles of the latencies over all requests of all rounds. */
export function summarize({ rows, interference }) {
  const table = OPERATIONS.flatMap((operation) =>
    LEVELS.flatMap((connections) => {
      const rounds = rows.filter(
        (row) => row.operation === operation.name && row.connections === connections,
      );
      return rounds.length > 0 ? [summaryOf(operation, connections, rounds)] : [];
    }),
  );
  const beside = interference.length > 0 ? interferenceSummary(interference) : undefined;
  return {
    operations: table,
    ...(beside && { interference: beside }),
    wanted: verdicts(table, beside),
    errors: sum(table.map(({ errors }) => total(errors))) + (beside ? total(beside.errors) : 0),
  };
}

function summaryOf({ name, title, wantedRatio }, connections, rounds) {
  const latencies = rounds.flatMap((row) => row.latencies);
  const of = (field) => rounds.map((row) => row[field]);
  const ratios = rounds.map(({ perSecond, direct }) => perSecond / direct);
  return {
    operation: name,
    title,
    connections,
    perSecond: median(of('perSecond')),
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    requests: latencies.length,
    direct: median(of('direct')),
    ratio: median(ratios),
    busy: median(of('busy')),
    loopDelayP99: median(of('loopDelayP99')),
    errors: added(of('errors')),
    ...(wantedRatio !== undefined && connections >= SATURATED && { wantedRatio }),
    rounds: rounds.map(({ round, perSecond, direct, busy, loopDelayP99 }, index) => ({
      round,
      perSecond,
      direct,
      ratio: ratios[index],
      busy,
      loopDelayP99,
    })),
  };
}

function interferenceSummary(rounds) {
  const of = (kind, field) => median(rounds.map((round) => round[kind][field]));
  const kind = (name) => ({
    p50: of(name, 'p50'),
    p99: of(name, 'p99'),
    perSecond: of(name, 'perSecond'),
    pairsPerSecond: of(name, 'pairsPerSecond'),
  });
  return {
    rsa4096: kind('rsa4096'),
    p256: kind('p256'),
    ratio: median(rounds.map(({ rsa4096, p256 }) => rsa4096.p99 / p256.p99)),
    errors: added(rounds.flatMap(({ rsa4096, p256 }) => [rsa4096.errors, p256.errors])),
    rounds,
  };
}

function verdicts(operations, interference) {
  const ratios = operations.flatMap(({ title, connections, ratio, wantedRatio }) =>
    wantedRatio === undefined
      ? []
      : [verdict(`${title}, ${connections} connections: ratio`, ratio, 'at least', wantedRatio, '')],
  );
  const delay = Math.max(...operations.map(({ loopDelayP99 }) => loopDelayP99));
  return [
    ...ratios,
    ...(interference
      ? [
          verdict(
            'Decrypt p99 beside RSA-4096 / P-256',
            interference.ratio,
            'at most',
            WANTED.interference,
            '',
          ),
        ]
      : []),
    ...(operations.length > 0
      ? [verdict('event-loop delay p99, worst row', delay, 'at most', WANTED.loopDelayMs, ' ms')]
      : []),
  ];
}

function verdict(what, measured, relation, wanted, unit) {
  const met = relation === 'at least' ? measured >= wanted : measured <= wanted;
  return { what, measured, relation, wanted, unit, met };
}

/** Errors by what went wrong, added up. */
function added(all) {
  const counts = {};
  for (const [what, count] of all.flatMap(Object.entries)) counts[what] = (counts[what] ?? 0) + count;
  return counts;
}

const total = (errors) => sum(Object.values(errors));

/** What a person reads. */
export function reportText(result) {
  const { operations, interference, wanted } = result;
  const sections = [
    headText(result),
    ...(operations.length > 0 ? [operationsText(operations)] : []),
    ...(interference ? [interferenceText(interference)] : []),
    wantedText(wanted),
  ];
  return `${sections.join('\n\n')}\n`;
}

function headText({ date, machine, workers, rounds, foreignShare }) {
  const lines = [
    `p11kms benchmark, ${date}, ${rounds} rounds`,
    `${machine.cores} cores (${machine.cpu}), Node ${machine.node}`,
    `workers: ${workers.token} for keys and data, ${workers['key-pairs']} for key pairs`,
    `other programs had ${Math.round(foreignShare * 100)} % of the processors' time`,
  ];
  if (foreignShare > QUIET_SHARE) lines.push('That is too much: judge by a run on a quiet machine.');
  return lines.join('\n');
}

function operationsText(operations) {
  const head = ['', 'conn.', 'req/s', 'p50 ms', 'p99 ms', 'direct/s', 'ratio', 'busy', 'loop ms', 'errors'];
  const lines = operations.map((row) => [
    row.title,
    row.connections,
    short(row.perSecond),
    short(row.p50),
    short(row.p99),
    short(row.direct),
    `${row.ratio.toFixed(2)} ${markOf(row)}`,
    `${Math.round(row.busy * 100)} %`,
    short(row.loopDelayP99),
    errorsText(row.errors),
  ]);
  return table([head, ...lines]);
}

function markOf({ ratio, wantedRatio }) {
  if (wantedRatio === undefined) return '      ';
  return ratio >= wantedRatio ? 'met   ' : 'MISSED';
}

function interferenceText({ rsa4096, p256, ratio, errors }) {
  const line = (title, { p50, p99, perSecond, pairsPerSecond }) =>
    [title, perSecond, p50, p99, pairsPerSecond].map((value) => (value === title ? title : short(value)));
  const head = ['Decrypt, 8 connections, while pairs are made', 'req/s', 'p50 ms', 'p99 ms', 'pairs/s'];
  const lines = table([head, line('RSA-4096, 4 connections', rsa4096), line('P-256, 4 connections', p256)]);
  return `${lines}\np99 ratio ${ratio.toFixed(2)}, errors ${errorsText(errors)}`;
}

function wantedText(wanted) {
  const lines = wanted.map(({ what, measured, relation, wanted: figure, unit, met }) => [
    what,
    `${short(measured)}${unit}`,
    `${relation} ${figure}${unit}`,
    met ? 'met' : 'MISSED',
  ]);
  return table([['Wanted', 'measured', 'wanted', ''], ...lines]);
}

const errorsText = (errors) =>
  total(errors) === 0
    ? '0'
    : Object.entries(errors)
        .map(([what, count]) => `${count} ${what}`)
        .join(', ');

/** Three digits that count. */
function short(value) {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
