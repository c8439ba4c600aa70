# shellcheck shell=bash
# Kafka, in KRaft mode: `kafka` alone, and `kafka-1` to `kafka-3`, which are brokers and controllers both.

KAFKA_VERSION=4.4.0
KAFKA_LIBS=$STACK_CACHE/kafka-$KAFKA_VERSION
KAFKA_MEMBERS=(kafka-1 kafka-2 kafka-3)

kafka_needs() {
    need java default-jre-headless
    need openssl openssl
    is_fetched "kafka-$KAFKA_VERSION" || need mvn maven
}

kafka_fetch() { # WORK
    say "fetching Kafka $KAFKA_VERSION with Maven"
    cat >"$1/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>oms</groupId>
  <artifactId>stack</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$KAFKA_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
END
    # -U: Maven remembers failures, and would not try again.
    quietly "$1/log" mvn -B -U -f "$1/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1/out"
}

kafka_ports() { # NAME
    assign_ports "$1" port controller-port
    is_kafka_member "$1" || assign_ports "$1" sasl-port
}

is_kafka_member() { [[ $1 == kafka-* ]]; }

# Options first, then the class. The JVM leaves nothing outside the state directory.
kafka_java() { # NAME OPTION...
    local dir=$STACK_DIR/$1
    shift
    JAVA=(java -XX:-UsePerfData -Djava.io.tmpdir="$dir/tmp" -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$KAFKA_LIBS/*" "$@")
}

kafka_prepare() { # NAME
    local JAVA dir=$STACK_DIR/$1
    is_kafka_member "$1" || kafka_certificate "$dir"
    kafka_properties "$1" >"$dir/server.properties"
    cat >"$dir/log4j2.properties" <<END
appender.stdout.type=Console
appender.stdout.name=stdout
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=[%d] %p %m (%c)%n
# Thousands of lines about settings, at each start.
logger.config.name=org.apache.kafka.common.config
logger.config.level=WARN
rootLogger.level=INFO
rootLogger.appenderRef.stdout.ref=stdout
END
    kafka_java "$1" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool
    "${JAVA[@]}" format -t "$(kafka_cluster_id)" -c "$dir/server.properties"
}

# One for all brokers: 16 bytes in base64, whose last letter says two bits only.
kafka_cluster_id() { echo "$(secret kafka-cluster-id 21)A"; }

# A certificate for this machine that is its own authority, and the same with its key, as the broker wants it.
kafka_certificate() { # DIR
    quietly "$1/log" openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=oms-stack \
        -addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' -keyout "$1/key.pem" -out "$1/ca.pem" || return 1
    cat "$1/key.pem" "$1/ca.pem" >"$1/keystore.pem"
}

# What a client needs to come in by the door that is locked: TLS, and a user with a password.
kafka_sasl_url() { # TOPIC
    echo "kafka://127.0.0.1:$(port_of kafka sasl-port)/$1?security.protocol=SASL_SSL&sasl.mechanism=PLAIN&sasl.username=oms&sasl.password=$(secret password 24)&ssl.ca.location=$STACK_DIR/kafka/ca.pem"
}

# The session (9 s by default) is how long a paused broker keeps its partitions, and how long a killed one cannot come back.
kafka_properties() { # NAME
    local dir=$STACK_DIR/$1 id=1 replicas=1 in_sync=1 members=("$1") voters=() member locked=''
    if is_kafka_member "$1"; then
        id=${1#kafka-} replicas=3 in_sync=2 members=("${KAFKA_MEMBERS[@]}")
    else
        locked=,SASL_SSL://127.0.0.1:$(port_of "$1" sasl-port)
        cat <<END
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_oms="$(secret password 24)";
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location=$dir/keystore.pem
END
    fi
    for member in "${members[@]}"; do
        voters+=("$((${#voters[@]} + 1))@127.0.0.1:$(port_of "$member" controller-port)")
    done
    cat <<END
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$(IFS=,; echo "${voters[*]}")
listeners=PLAINTEXT://127.0.0.1:$(port_of "$1"),CONTROLLER://127.0.0.1:$(port_of "$1" controller-port)$locked
advertised.listeners=PLAINTEXT://127.0.0.1:$(port_of "$1")$locked
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs=$dir/data
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=5
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=4000
log.cleaner.dedupe.buffer.size=16777216
END
}

kafka_start() { # NAME
    local JAVA memory=768m
    if is_kafka_member "$1"; then memory=512m; fi
    kafka_java "$1" "-Xmx$memory" kafka.Kafka
    launch "$1" "${JAVA[@]}" "$STACK_DIR/$1/server.properties"
}

# The broker takes requests before it may be given partitions; its log says when it may. The request (ApiVersions) tells
# whether it is awake now.
kafka_answers() { # NAME
    grep -q 'Kafka Server started' < <(log_of_this_start "$1") || return 1
    # shellcheck disable=SC2016 # The inner shell expands it.
    timeout --foreground 3 bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$0" || exit 1
        printf "\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff" >&3
        IFS= read -r -d "" -n 1 -u 3' "$(port_of "$1")" 2>/dev/null
}
