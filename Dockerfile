# Built in two steps: the first makes the wheel, the second holds only what runs.
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements/dev.txt requirements/dev.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/dev.txt
COPY . .
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --no-index --wheel-dir /wheels .

FROM python:3.12-slim
# FreeTDS reaches iDent's Microsoft SQL Server. Microsoft's own driver asks for its licence to be accepted, so it is not
# in here: see connectors/ident/README.md.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tdsodbc odbcinst \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/run.txt /tmp/run.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/run.txt && rm /tmp/run.txt
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-deps --no-index /wheels/*.whl && rm -rf /wheels

RUN useradd --system --uid 10001 --create-home kreslo && mkdir /data /config && chown kreslo /data
USER kreslo
WORKDIR /data
VOLUME /data
# Inside the container all addresses; outside, publish it to 127.0.0.1: `docker run -p 127.0.0.1:8470:8470`.
ENV KRESLO_HOST=0.0.0.0 \
    KRESLO_PORT=8470 \
    KRESLO_STATE=sqlite:////data/state.db \
    KRESLO_LOG_STYLE=json \
    PYTHONUNBUFFERED=1
EXPOSE 8470
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['KRESLO_PORT'] + '/health/live', timeout=4)"]
ENTRYPOINT ["kreslo"]
CMD ["run", "/config/mapping.yaml"]
