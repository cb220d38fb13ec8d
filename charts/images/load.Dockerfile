# A Locust master or worker of a load that runs in a cluster. Build it from the repository's root:
#
#     docker build --network host --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm \
#         -f charts/images/load.Dockerfile -t seatrial/load:0.1.0 .
#
# The pod only waits; Locust is started in it over the exec API and ends with that connection.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE}
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
    httptools "locust>=2.32" "numpy>=1.26" orjson "pydantic>=2.8" PyYAML "scipy>=1.12" uvloop
COPY seatrial /opt/seatrial/seatrial
COPY charts /opt/seatrial/charts
COPY loadtests /opt/seatrial/loadtests
ENV PYTHONPATH=/opt/seatrial PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
RUN python -c "import seatrial.loads.locust_user, seatrial.loads.relay" \
 && python -m locust -f /opt/seatrial/loadtests/deidentify.py --list
USER 65534:65534
CMD ["python", "-c", "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"]
