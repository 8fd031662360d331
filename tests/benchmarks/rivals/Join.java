// The plain join of `make bench` as a Kafka Streams program: exactly once, Avro in and out, a changelog, one repartition.
// Arguments: brokers, state folder, threads, folder with ChangeEvent.avsc and FieldPatch.avsc, the patch's schema id.

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;

import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class Join {
    static final int HEADER = 5;
    static final int FIELDS = 4;

    public static void main(String[] args) throws Exception {
        File folder = new File(args[3]);
        Schema change = new Schema.Parser().parse(new File(folder, "ChangeEvent.avsc"));
        Schema patch = new Schema.Parser().parse(new File(folder, "FieldPatch.avsc"));
        Schema row = row(change);
        Serde<GenericRecord> changes = serde(change, 0), patches = serde(patch, Integer.parseInt(args[4])), rows = serde(row, 0);
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("pairs"), Serdes.String(), rows));
        Consumed<String, GenericRecord> read = Consumed.with(Serdes.String(), changes);
        KStream<String, GenericRecord> both = builder.stream("hubspot.changes", read).merge(builder.stream("userflow.changes", read));
        KStream<String, GenericRecord> out = both.selectKey((key, value) -> email(value))
            .repartition(Repartitioned.with(Serdes.String(), changes).withName("by-email"))
            .process(() -> new Pairs(patch, row), "pairs");
        out.to((key, value, context) -> value.get("system") + ".field-patches", Produced.with(Serdes.String(), patches));

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "rival-streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[1]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(args[2]));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put("auto.offset.reset", "earliest");
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    static String email(GenericRecord change) {
        GenericRecord stamped = (GenericRecord) ((Map<?, ?>) change.get("fields")).get("email");
        return String.valueOf(stamped.get("value")).toLowerCase(Locale.ROOT);
    }

    /** Keeps the newest change of each side, and writes to the other side what differs there. */
    static final class Pairs implements Processor<String, GenericRecord, String, GenericRecord> {
        private final Schema patch;
        private final Schema rows;
        private KeyValueStore<String, GenericRecord> store;
        private ProcessorContext<String, GenericRecord> context;

        Pairs(Schema patch, Schema rows) {
            this.patch = patch;
            this.rows = rows;
        }

        @Override
        public void init(ProcessorContext<String, GenericRecord> context) {
            this.context = context;
            this.store = context.getStateStore("pairs");
        }

        @Override
        public void process(Record<String, GenericRecord> record) {
            GenericRecord change = record.value(), row = store.get(record.key());
            String system = change.get("system").toString(), other = system.equals("hubspot") ? "userflow" : "hubspot";
            if (row == null) {
                row = new GenericData.Record(rows);
            }
            GenericRecord before = (GenericRecord) row.get(system);
            if (before != null && (Long) before.get("at_ms") > (Long) change.get("at_ms")) {
                return;
            }
            row.put(system, change);
            store.put(record.key(), row);
            GenericRecord target = (GenericRecord) row.get(other);
            if (target == null) {
                return;
            }
            Map<String, Object> differing = new HashMap<>();
            Map<?, ?> fields = (Map<?, ?>) change.get("fields"), known = (Map<?, ?>) target.get("fields");
            for (int n = 0; n < FIELDS; n++) {
                String from = (system.equals("hubspot") ? "h" : "u") + n;
                String to = (system.equals("hubspot") ? "hubspot_contact_h" : "userflow_user_u") + n;
                Object value = value(fields, from);
                if (!String.valueOf(value).equals(String.valueOf(value(known, to)))) {
                    differing.put(to, value);
                }
            }
            if (!differing.isEmpty()) {
                context.forward(record.withKey(change.get("integration").toString()).withValue(patchOf(change, target, record.key(), differing)));
            }
        }

        private GenericRecord patchOf(GenericRecord change, GenericRecord target, String match, Map<String, Object> fields) {
            GenericRecord made = new GenericData.Record(patch);
            for (String name : new String[] {"integration", "connection", "revision"}) {
                made.put(name, change.get(name));
            }
            made.put("mapping", "people");
            made.put("match_value", match);
            for (String name : new String[] {"system", "object_type", "object_id"}) {
                made.put(name, target.get(name));
            }
            made.put("fields", fields);
            made.put("bulk", false);
            made.put("known_until_ms", new HashMap<String, Long>());
            return made;
        }

        private static Object value(Map<?, ?> fields, String name) {
            GenericRecord stamped = (GenericRecord) fields.get(name);
            return stamped == null ? null : stamped.get("value");
        }
    }

    /** Two changes of a pair, one of each side: a row of the store. */
    static Schema row(Schema change) {
        Schema row = Schema.createRecord("Row", null, "rival", false);
        Schema maybe = Schema.createUnion(Schema.create(Schema.Type.NULL), change);
        row.setFields(List.of(new Schema.Field("hubspot", maybe, null, null), new Schema.Field("userflow", maybe, null, null)));
        return row;
    }

    /** Avro behind the header of Confluent's wire format; the schemas ask for Java's own strings. */
    static Serde<GenericRecord> serde(Schema schema, int id) {
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(schema);
        return Serdes.serdeFrom(
            (topic, record) -> {
                if (record == null) {
                    return null;
                }
                try {
                    ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
                    bytes.write(ByteBuffer.allocate(HEADER).put((byte) 0).putInt(id).array());
                    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(bytes, null);
                    writer.write(record, encoder);
                    return bytes.toByteArray();
                } catch (java.io.IOException error) {
                    throw new java.io.UncheckedIOException(error);
                }
            },
            (topic, bytes) -> {
                if (bytes == null) {
                    return null;
                }
                try {
                    return reader.read(null, DecoderFactory.get().binaryDecoder(bytes, HEADER, bytes.length - HEADER, null));
                } catch (java.io.IOException error) {
                    throw new java.io.UncheckedIOException(error);
                }
            });
    }
}
