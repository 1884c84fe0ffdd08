# One image for every role; docker-compose.yml says which command each service runs.
FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY client client
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps ./client
COPY . /app
RUN cd /app && mkdir staticfiles && APICHARGE_HOME=/tmp/build APICHARGE_STATIC_ROOT=/app/staticfiles /venv/bin/python manage.py collectstatic --noinput

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home apicharge && install -d -o apicharge -g apicharge -m 0700 /state
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APICHARGE_HOME=/state \
    APICHARGE_STATIC_ROOT=/app/staticfiles \
    PORT=8000 \
    H2_PORT=8002
WORKDIR /app
USER apicharge
VOLUME /state
EXPOSE 8000 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, ssl, urllib.request as u; own = ssl._create_unverified_context(); scheme = 'https' if os.environ.get('APICHARGE_TLS_CERT') else 'http'; u.urlopen(f'{scheme}://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2, context=own)"]
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000", "--h2-port", "8002"]
