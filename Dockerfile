# One Node version for all stages: the native modules are compiled for it.
FROM node:20-bookworm-slim AS toolchain
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# Compile the native modules, against the headers that the image has: nothing comes from outside npm's registry.
ENV npm_config_build_from_source=true npm_config_nodedir=/usr/local
COPY package.json package-lock.json ./

FROM toolchain AS modules
RUN npm ci --omit=dev --no-audit --no-fund

FROM toolchain AS build
# The compiler is JavaScript: no native module is needed for it.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
RUN npx tsc -p tsconfig.json --noEmitOnError && chmod 755 dist/main.js

FROM node:20-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends softhsm2 \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o node -g node -m 0700 /data
WORKDIR /app
ENV NODE_ENV=production
COPY --from=modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY softhsm ./softhsm
USER node
VOLUME /data
# Where the service speaks HTTPS, so does this; what the certificate says of names is for those who come from outside.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "require(process.env.P11KMS_TLS_CERT_FILE ? 'https' : 'http').get({ host: '127.0.0.1', port: process.env.P11KMS_PORT || 8080, path: '/readyz', rejectUnauthorized: false }, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["/app/softhsm/entrypoint.sh"]
CMD ["serve"]
