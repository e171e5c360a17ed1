# The harness alone, and with one agent CLI:
#   npm run build
#   docker build -f deploy/docker/harness.Dockerfile -t reins-harness:0.1.0 .
#   docker build -f deploy/docker/harness.Dockerfile --target harness-cli --build-arg CLI=claude-code -t reins-harness-claude-code:0.1.0 .
# CLI is a folder of deploy/docker/agent-clis: claude-code, codex, gemini or opencode.
ARG BASE_IMAGE=node:20-bookworm-slim

FROM ${BASE_IMAGE} AS runtime
# git and ssh clone repositories; tini is process 1 and reaps what agents leave behind.
RUN command -v git >/dev/null && command -v ssh >/dev/null && command -v tini >/dev/null && \
    [ -s /etc/ssl/certs/ca-certificates.crt ] || { apt-get update && \
      apt-get install -y --no-install-recommends ca-certificates git openssh-client tini && \
      rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*; }
# One volume is mounted at /session; without one, these folders are what a container writes to.
RUN mkdir -p /opt/reins /session/home /session/state /session/workspace && chown -R 1000:1000 /session
ENV HOME=/session/home REINS_STATE_DIR=/session/state REINS_WORKSPACE=/session/workspace
WORKDIR /session
USER 1000:1000
ENTRYPOINT ["tini", "-s", "--", "node", "/opt/reins/harness/main.js"]

FROM ${BASE_IMAGE} AS cli
ARG CLI
WORKDIR /opt/agent-cli
COPY deploy/docker/agent-clis/${CLI}/package.json deploy/docker/agent-clis/${CLI}/package-lock.json ./
COPY deploy/docker/install-packages.sh deploy/docker/verify-lock.cjs deploy/docker/link-agent-cli.cjs /build/
RUN --mount=type=secret,id=npmrc --mount=type=secret,id=ca /build/install-packages.sh && \
    node /build/link-agent-cli.cjs

FROM runtime AS harness-cli
ARG CLI
COPY --from=cli /opt/agent-cli /opt/agent-cli
# An update would be refused by the read-only root anyway, and the version is part of the image's meaning.
ENV PATH=/opt/agent-cli/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DISABLE_AUTOUPDATER=1
COPY dist/apps/harness /opt/reins/harness
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reins-harness-${CLI}" \
      org.opencontainers.image.description="Harness of Reins with the agent CLI ${CLI}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM runtime AS harness
COPY dist/apps/harness /opt/reins/harness
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reins-harness" \
      org.opencontainers.image.description="Harness of Reins, without an agent CLI" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
