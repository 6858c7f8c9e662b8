import type { Config } from './config/load';
import { readPin } from './config/pin';
import type { TokenAddress } from './hsm/token';
import { labelPrefix } from './kms/object-label';
import type { StoreIdentity } from './store/identity';

/** The token that the settings name, and where there is a store, the object that ties the two together. */
export function tokenAddress({ pkcs11, pin, dataDir }: Config, identity?: StoreIdentity): TokenAddress {
  const { module, tokenLabel, initArgs, gcmIv } = pkcs11;
  const label = identity && `${labelPrefix(identity.id)}service`;
  return {
    module,
    tokenLabel,
    gcmIv,
    dataDir,
    pin: readPin(pin),
    ...(initArgs !== undefined && { initArgs }),
    ...(identity && label && { serviceKey: { ...identity.serviceKey, label } }),
  };
}
