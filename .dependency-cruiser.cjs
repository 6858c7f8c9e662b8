/**
 * The house: imports point one way, api -> kms -> access, hsm, store; config and telemetry know nobody.
 * A rule per room says what it may import; whatever is not named is forbidden.
 */
const may = (room, ...rooms) => ({
  name: `${room}-imports`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...rooms].join('|')})/|^src/errors\\.ts$` },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '^src/hsm/worker/parent-watch\\.ts$' },
      to: {},
    },
    may('config'),
    may('telemetry'),
    may('store'),
    may('hsm'),
    may('access'),
    may('audit'),
    may('kms', 'access', 'hsm', 'store'),
    may('api', 'kms', 'access', 'audit', 'telemetry'),
    {
      name: 'protocols-are-siblings',
      severity: 'error',
      from: { path: '^src/api/trent/' },
      to: { path: '^src/api/alibaba/' },
    },
    {
      name: 'protocols-are-siblings-both-ways',
      severity: 'error',
      from: { path: '^src/api/alibaba/' },
      to: { path: '^src/api/trent/' },
    },
    {
      name: 'only-the-worker-loads-pkcs11',
      severity: 'error',
      from: { pathNot: '^src/hsm/worker/' },
      to: { path: 'node_modules/(graphene-pk11|pkcs11js)' },
    },
    {
      name: 'only-the-service-half-forks-the-worker',
      comment: 'The two halves of hsm/ meet in jobs.ts, key-pair-specs.ts and report.ts only.',
      severity: 'error',
      from: { path: '^src/hsm/worker/' },
      to: {
        path: '^src/',
        pathNot: '^src/hsm/(worker/|jobs\\.ts$|key-pair-specs\\.ts$|report\\.ts$)|^src/errors\\.ts$',
      },
    },
    {
      name: 'service-half-stays-out-of-the-worker',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/hsm/worker/' },
      to: { path: '^src/hsm/worker/' },
    },
    {
      name: 'only-store-speaks-sql',
      severity: 'error',
      from: { pathNot: '^src/store/' },
      to: { path: 'node_modules/(kysely|better-sqlite3|pg)/' },
    },
    {
      name: 'only-client-keys-need-forge',
      comment: "It writes what Alibaba's SDKs read; all other cryptography is node:crypto's and the token's.",
      severity: 'error',
      from: { pathNot: '^src/cli/client-key-file\\.ts$' },
      to: { path: 'node_modules/node-forge' },
    },
    {
      name: 'only-alibaba-speaks-protobuf',
      severity: 'error',
      from: { pathNot: '^src/api/alibaba/' },
      to: { path: 'node_modules/@bufbuild/protobuf' },
    },
    {
      name: 'only-api-speaks-http',
      severity: 'error',
      from: { pathNot: '^src/api/' },
      to: { path: 'node_modules/express' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
  },
};
