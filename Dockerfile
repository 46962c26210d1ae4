# Stillpoint in a container of its own: built from this tree, run by a user without rights.
#
#   docker build -t stillpoint .
#   docker run --network host -v stillpoint:/var/lib/stillpoint stillpoint
#
# On a network of its own the server has to listen beyond the container's loopback, which without TLS must
# be asked for: `docker run -p 127.0.0.1:8500:8500 … stillpoint server --consul 0.0.0.0:8500 --insecure`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package stillpoint \
    && cp target/release/stillpoint /usr/local/bin/stillpoint

FROM debian:bookworm-slim
RUN groupadd --system --gid 7400 stillpoint \
    && useradd --system --uid 7400 --gid 7400 --home-dir /var/lib/stillpoint --shell /usr/sbin/nologin stillpoint \
    && install --directory --mode 0700 --owner stillpoint --group stillpoint /var/lib/stillpoint
COPY --from=build /usr/local/bin/stillpoint /usr/local/bin/stillpoint
USER stillpoint
WORKDIR /var/lib/stillpoint
# Commands run in the container find the data, and the token in it, without being told.
ENV STILLPOINT_DATA_DIR=/var/lib/stillpoint
VOLUME /var/lib/stillpoint
EXPOSE 4646 6333 6334 7400 8500
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["stillpoint", "status", "--quiet"]
ENTRYPOINT ["stillpoint"]
CMD ["server"]
