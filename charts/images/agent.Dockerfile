# The load generator's pod. Build it from the repository's root:
#
#     docker build --network host --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm \
#         -f charts/images/agent.Dockerfile -t seatrial/agent:0.1.0 .
#
# The pod only waits; the agent itself is started in it over the exec API and ends with that connection.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN pip install --no-cache-dir numpy orjson uvloop httptools
COPY seatrial /opt/seatrial/seatrial
ENV PYTHONPATH=/opt/seatrial PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN python -c "import seatrial.traffic.agent, seatrial.dependencies.gate_server"
USER 65534:65534
CMD ["python", "-c", "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"]
