# Stand-in for python:3.13-slim: users, paths, variables and commands are the same as far as docker-compose.yml uses them.
ARG DEBIAN
FROM ${DEBIAN}
RUN DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3 python3-pip python3-venv \
    && apt-get clean \
    && for name in python python3; do ln -s /usr/bin/python3 /usr/local/bin/$name; done
CMD ["python3"]
