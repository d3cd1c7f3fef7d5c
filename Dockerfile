# An image whose command is `advlab`, for the CPU (the default) or for CUDA:
#   docker build -t advlab .
#   docker build -t advlab:cuda --build-arg BASE=pytorch/pytorch:2.11.0-cuda13.0-cudnn9-runtime .
# BASE is any image with Python 3.10 to 3.13 and pip; a torch that it holds is kept where it is new enough.
ARG BASE=python:3.12-slim
FROM ${BASE}

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BREAK_SYSTEM_PACKAGES=1 PYTHONUNBUFFERED=1
# EXTRAS=[cluster] adds Dask, for workers in containers
ARG EXTRAS=""

# what the package is made of, and no tests, figures or results of runs (.dockerignore)
WORKDIR /opt/advlab
COPY pyproject.toml setup.py README.md LICENSE ./
COPY advlab advlab
COPY configs configs
COPY experiments experiments
RUN python3 -m pip install ".${EXTRAS}" && rm -rf build ./*.egg-info

# a user of its own: files in mounted folders belong to it, and nothing runs as root
RUN useradd --create-home --uid 1000 advlab 2>/dev/null || useradd --create-home advlab \
    && mkdir -p /cache /work \
    && chown -R advlab /cache /work
USER advlab
ENV ADVLAB_DATA=/cache/data ADVLAB_CACHE=/cache/artifacts
WORKDIR /work
VOLUME ["/cache"]

ENTRYPOINT ["advlab"]
CMD ["run.preset=tiny"]
