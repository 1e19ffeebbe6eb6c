# Stand-in for rabbitmq:4-management: users, paths, variables and commands are the same as far as docker-compose.yml uses them.
ARG DEBIAN
FROM ${DEBIAN}
RUN groupadd --system --gid 999 rabbitmq \
    && useradd --system --gid rabbitmq --uid 999 --home-dir /var/lib/rabbitmq rabbitmq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends rabbitmq-server \
    && apt-get clean \
    && rm -rf /var/lib/rabbitmq /var/log/rabbitmq \
    && install -d -o rabbitmq -g rabbitmq -m 1777 /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq /etc/rabbitmq/conf.d \
    && echo "[rabbitmq_management,rabbitmq_prometheus]." > /etc/rabbitmq/enabled_plugins
COPY rabbitmq-entrypoint /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/sbin:/usr/bin:/bin LANG=C.UTF-8 HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
VOLUME /var/lib/rabbitmq
ENTRYPOINT ["docker-entrypoint.sh"]
EXPOSE 5672 15672 15692
CMD ["rabbitmq-server"]
