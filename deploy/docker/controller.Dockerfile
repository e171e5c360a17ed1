# The controller, with the harness it hands out (GET /downloads/harness.tar.gz) and the embedded database engine.
#   npm run build && docker build -f deploy/docker/controller.Dockerfile -t reins-controller:0.1.0 .
ARG BASE_IMAGE=node:20-bookworm-slim

FROM ${BASE_IMAGE} AS packages
WORKDIR /opt/reins
COPY package.json package-lock.json .npmrc ./
COPY deploy/docker/install-packages.sh deploy/docker/verify-lock.cjs /build/
RUN --mount=type=secret,id=npmrc --mount=type=secret,id=ca /build/install-packages.sh

FROM ${BASE_IMAGE} AS controller
# tini is process 1: it reaps what the embedded engine and started harnesses leave behind, and passes signals on.
RUN command -v tini >/dev/null || { apt-get update && \
      apt-get install -y --no-install-recommends tini && \
      rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*; }
RUN mkdir -p /opt/reins /var/lib/reins && chown 1000:1000 /var/lib/reins && \
    ln -s dist/apps/controller /opt/reins/controller && ln -s dist/apps/harness /opt/reins/harness
COPY --from=packages /opt/reins/node_modules /opt/reins/node_modules
# Signs a first token with JWT_SECRET: kubectl exec deploy/reins -- node /opt/reins/token.cjs
COPY deploy/docker/token.cjs /opt/reins/token.cjs
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3305 AUTH_MODE=jwt REINS_DATA_DIR=/var/lib/reins HOME=/var/lib/reins
WORKDIR /var/lib/reins
USER 1000:1000
EXPOSE 3305
ENTRYPOINT ["tini", "-s", "--", "node", "/opt/reins/controller/main.js"]
# Last, because it changes most.
COPY dist /opt/reins/dist
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reins-controller" \
      org.opencontainers.image.description="Controller for coding-agent harnesses" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
