# Wissel in one image: the web service with its clock and worker, or (command `worker`) a site's worker alone.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY runners runners
COPY playbooks playbooks
COPY migrations migrations
RUN python -m venv /opt/wissel && /opt/wissel/bin/pip install --no-cache-dir .

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --no-install-recommends -y bubblewrap postgresql-client libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/wissel wissel
COPY --from=build /opt/wissel /opt/wissel
ENV PATH=/opt/wissel/bin:$PATH WISSEL_DATA_DIR=/var/lib/wissel WISSEL_HOST=0.0.0.0 WISSEL_SITES=* PYTHONUNBUFFERED=1
USER wissel
WORKDIR /var/lib/wissel
VOLUME /var/lib/wissel
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["wissel"]
CMD ["serve"]
