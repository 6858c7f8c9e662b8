import { parsePrincipalArn } from '../../../src/access/principals';

describe('the ARN of a principal', () => {
  it.each([
    ['arn:aws:iam::111122223333:root', 'account', ''],
    ['arn:aws-cn:iam::111122223333:root', 'account', ''],
    ['arn:verenc:iam::acme-1:root', 'account', ''],
    ['arn:verenc:iam::123:root', 'account', ''],
    ['arn:1-:iam::-:root', 'account', ''],
    ['arn:aws:iam::111122223333:user/alice', 'user', 'alice'],
    [
      'arn:aws:iam::111122223333:user/division/unit/alice@example.com',
      'user',
      'division/unit/alice@example.com',
    ],
    ['arn:aws:iam::111122223333:role/service-role/r+=,.@-_', 'role', 'service-role/r+=,.@-_'],
    ['arn:aws:sts::111122223333:assumed-role/admin/session-1', 'assumed-role', 'admin/session-1'],
    ['arn:aws:sts::111122223333:federated-user/bob', 'federated-user', 'bob'],
  ])('%s is a principal', (text, kind, name) => {
    expect(parsePrincipalArn(text)).toEqual({
      partition: text.split(':')[1],
      account: text.split(':')[4],
      kind,
      name,
    });
  });

  it.each([
    '',
    '*',
    'alice',
    '111122223333',
    'arn:aws:iam::111122223333',
    'arn:aws:iam:::root',
    'arn:aws:iam::1111_2222:root',
    'arn:aws:iam:us-east-1:111122223333:root',
    'arn::iam::111122223333:root',
    'arn:aws:iam::111122223333:group/admins',
    'arn:aws:iam::111122223333:instance-profile/web',
    'arn:aws:iam::111122223333:user/',
    'arn:aws:iam::111122223333:user/a//b',
    'arn:aws:iam::111122223333:user/*',
    'arn:aws:iam::111122223333:role/a b',
    'arn:aws:iam::111122223333:root\n',
    'arn:aws:iam::111122223333:assumed-role/admin/session',
    'arn:aws:sts::111122223333:assumed-role/admin',
    'arn:aws:sts::111122223333:role/admin',
    'arn:aws:sts::111122223333:root',
    'arn:aws:s3:::bucket',
  ])('%j is none', (text) => {
    expect(parsePrincipalArn(text)).toBeUndefined();
  });
});
