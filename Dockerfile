# The program alone; models are inside it. docker build -t unmelt . && docker run --rm -v "$PWD:/data" unmelt models
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential git && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked && strip target/release/unmelt

FROM debian:bookworm-slim
COPY --from=build /source/target/release/unmelt /usr/local/bin/unmelt
WORKDIR /data
USER 65532:65532
ENTRYPOINT ["unmelt"]
CMD ["--help"]
