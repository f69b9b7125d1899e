ARG PYTHON_VERSION=3.13

# Build the wheel, then install it with the locked versions into an environment of its own.
FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY scripts/setup scripts/setup
COPY migrations migrations
COPY app app
RUN scripts/setup
RUN .venv/bin/uv build --wheel --no-build-isolation --offline --out-dir dist
RUN .venv/bin/uv venv --python "$(command -v python3)" /opt/slate \
    && .venv/bin/uv pip install --system-certs --compile-bytecode --python /opt/slate/bin/python \
        --constraints requirements.lock dist/*.whl

FROM python:${PYTHON_VERSION}-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/slate --no-create-home --shell /usr/sbin/nologin slate \
    && install --directory --mode=0700 --owner=slate /var/lib/slate
COPY --from=build /opt/slate /opt/slate
ENV PATH=/opt/slate/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SLATE_HOME=/var/lib/slate
USER slate
WORKDIR /var/lib/slate
VOLUME /var/lib/slate
EXPOSE 8765
STOPSIGNAL SIGTERM
ENTRYPOINT ["slate"]
CMD ["up"]
