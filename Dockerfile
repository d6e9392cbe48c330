# One image for every verb of the `mas` command: docker run mas-order-router sim-worker
FROM python:3.13-slim

RUN useradd --create-home --uid 10001 mas
WORKDIR /opt/mas

COPY pyproject.toml README.md LICENSE ./
COPY sdk sdk
COPY router router
COPY workers workers
RUN pip install --no-cache-dir ".[sim,ops]"

USER mas
WORKDIR /home/mas
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["mas"]
CMD ["--help"]
