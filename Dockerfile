# sluice in a container: docker build -t sluice . (docs/packages.md).
FROM debian:12-slim AS build
WORKDIR /src
COPY . .
ARG COMMIT=""
RUN script/bootstrap run && \
    cmake --preset portable -DSLUICE_COMMIT="$COMMIT" && \
    cmake --build build/portable --target sluice_program && \
    strip build/portable/sluice

FROM debian:12-slim
RUN useradd --system --uid 900 --home-dir /var/lib/sluice --no-create-home \
        --shell /usr/sbin/nologin sluice && \
    install -d -o sluice -g sluice /var/lib/sluice
COPY --from=build /src/build/portable/sluice /usr/bin/sluice
COPY --from=build /src/LICENSE /src/NOTICE /usr/share/doc/sluice/
COPY packaging/sluice.conf /etc/sluice/sluice.conf
USER sluice
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
# Files over HTTP are for all who reach the container, to read; the other services are for those in
# it, until a flag, a variable (SLUICE_CHAT=*:5000) or another sluice.conf says more.
ENV SLUICE_HTTP=*:8080 SLUICE_CONFIG=/etc/sluice/sluice.conf
EXPOSE 8080
STOPSIGNAL SIGTERM
# A question to the process that serves, answered by its event loop.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
    CMD sluice compute ask 127.0.0.1:2999 1 || exit 1
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve"]
