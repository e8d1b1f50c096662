// SPDX-License-Identifier: Apache-2.0
// Prints what a kafka-clients jar knows of the protocol, one field a line and version, for the drift check:
//
//   api KEY NAME MIN MAX FLEXIBLE          (FLEXIBLE: first version with request header 2, "none")
//   field NAME request|response VERSION PATH TYPE NULLABLE TAG DEFAULT CLASS
//
//   error CODE NAME
//
// Fields come in the order of the wire, tagged ones after the others of their struct. PATH has Kafka's names,
// nested ones joined by a slash. CLASS is the struct's name or "-".
//
// With --frames it reads lines "KEY VERSION request|response HEX", lets Kafka's own classes read each body and write it
// again, and complains where the bytes are not the same; the last line is "frames N".
//
// Run: java -cp 'DIR/*' Drift.java [--frames | KEY ...]
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Map;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

public class Drift {
    private final String prefix;

    private Drift(String prefix) {
        this.prefix = prefix;
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 1 && args[0].equals("--frames")) {
            frames();
            return;
        }
        Set<Short> keys = Arrays.stream(args).map(Short::valueOf).collect(Collectors.toSet());

        for (ApiMessageType api : ApiMessageType.values())
            if (keys.isEmpty() || keys.contains(api.apiKey()))
                api(api);
        for (Errors e : Errors.values())
            System.out.printf("error %d %s%n", e.code(), e.name());
    }

    private static void frames() throws Exception {
        Map<Short, ApiMessageType> apis = Arrays.stream(ApiMessageType.values())
            .collect(Collectors.toMap(ApiMessageType::apiKey, a -> a));
        Scanner in = new Scanner(System.in);
        int n = 0;

        while (in.hasNext()) {
            ApiMessageType api = apis.get(in.nextShort());
            short version = in.nextShort();
            boolean request = in.next().equals("request");
            byte[] body = HexFormat.of().parseHex(in.next().substring(1));
            String name = api + (request ? " request " : " response ") + version;

            if (api == null || version < lowest(api) || version >= api.requestSchemas().length)
                continue;
            frame(name, request ? api.newRequest() : api.newResponse(), version, body);
            n++;
        }
        System.out.println("frames " + n);
    }

    private static void frame(String name, ApiMessage message, short version, byte[] body) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer in = ByteBuffer.wrap(body);
        ByteBuffer out;

        try {
            message.read(new ByteBufferAccessor(in), version);
            out = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(out), cache, version);
            out.flip();
        } catch (RuntimeException e) {
            System.out.println("BROKEN " + name + ": " + e);
            return;
        }
        if (in.hasRemaining())
            System.out.println("BROKEN " + name + ": " + in.remaining() + " bytes are left");
        else if (!out.equals(ByteBuffer.wrap(body)))
            System.out.println("DIFFERENT " + name + ": Kafka writes other bytes");
    }

    // The accessors for it came after 2.4; a version that is not there has no schema in any release.
    private static int lowest(ApiMessageType api) {
        Schema[] schemas = api.requestSchemas();
        int v = 0;

        while (v < schemas.length && schemas[v] == null)
            v++;
        return v;
    }

    private static void api(ApiMessageType api) throws Exception {
        if (lowest(api) == api.requestSchemas().length)
            return;  // removed: only the key is left
        String request = api.newRequest().getClass().getSimpleName();
        String name = request.substring(0, request.length() - "RequestData".length());
        Schema[] req = api.requestSchemas(), res = api.responseSchemas();
        String flexible = "none";

        for (int v = req.length - 1; v >= lowest(api); v--)
            if (api.requestHeaderVersion((short) v) >= 2)
                flexible = String.valueOf(v);
        System.out.printf("api %d %s %d %d %s%n", api.apiKey(), name, lowest(api), req.length - 1, flexible);
        for (int v = lowest(api); v < req.length; v++) {
            new Drift("field " + name + " request " + v).struct("", req[v], api.newRequest().getClass());
            new Drift("field " + name + " response " + v).struct("", res[v], api.newResponse().getClass());
        }
    }

    private static Field member(Class<?> cls, String name) {
        for (Field f : cls.getDeclaredFields())
            if (!Modifier.isStatic(f.getModifiers()) && f.getName().equalsIgnoreCase(name.replace("_", "")))
                return f;
        throw new IllegalStateException("no member " + name + " in " + cls);
    }

    private static Class<?> element(Field f) {
        Type t = f.getGenericType();

        if (t instanceof Class<?> c && Collection.class.isAssignableFrom(c))
            t = c.getGenericSuperclass();
        if (t instanceof ParameterizedType p)
            t = p.getActualTypeArguments()[0];
        return (Class<?>) t;
    }

    private static String initial(Field f, Object owner) throws Exception {
        f.setAccessible(true);
        Object v = f.get(owner);

        if (v == null)
            return "null";
        if (v instanceof Collection<?> c)
            return c.isEmpty() ? "empty" : "?";
        if (v instanceof byte[] b)
            return b.length == 0 ? "empty" : "?";
        if (v instanceof ByteBuffer b)
            return b.remaining() == 0 ? "empty" : "?";
        if (v instanceof String s)
            return s.isEmpty() ? "empty" : s;
        if (v instanceof Number || v instanceof Boolean)
            return v.toString();
        // Kafka's own class for it came after 2.4.
        return v.getClass().getSimpleName().equals("Uuid") && v.toString().equals("A".repeat(22)) ? "zero" : "struct";
    }

    // The accessor came with 4.0; the member has been there from the start.
    @SuppressWarnings("unchecked")
    private static Map<Integer, org.apache.kafka.common.protocol.types.Field> tags(TaggedFields tagged)
            throws Exception {
        Field m = TaggedFields.class.getDeclaredField("fields");

        m.setAccessible(true);
        return (Map<Integer, org.apache.kafka.common.protocol.types.Field>) m.get(tagged);
    }

    private void struct(String path, Schema schema, Class<?> cls) throws Exception {
        for (BoundField b : schema.fields()) {
            if (b.def.type instanceof TaggedFields tagged) {
                for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> e
                        : new TreeMap<>(tags(tagged)).entrySet())
                    field(path, e.getValue(), String.valueOf(e.getKey()), cls);
            } else {
                field(path, b.def, "-", cls);
            }
        }
    }

    private void field(String path, org.apache.kafka.common.protocol.types.Field def, String tag, Class<?> cls)
            throws Exception {
        Field m = member(cls, def.name);
        String camel = Character.toUpperCase(m.getName().charAt(0)) + m.getName().substring(1);
        var constructor = cls.getDeclaredConstructor();
        var type = def.type;
        String shape = "", label = "-";

        if (type.arrayElementType().isPresent()) {
            shape = type.getClass().getSimpleName().startsWith("Compact") ? "compact[]" : "[]";
            type = type.arrayElementType().get();
        }
        if (type instanceof Schema)
            label = element(m).getSimpleName();
        System.out.printf("%s %s%s %s%s %s %s %s %s%n", prefix, path, camel, shape,
                          type instanceof Schema ? "STRUCT" : type.toString(), def.type.isNullable(), tag,
                          initial(m, constructor.newInstance()), label);
        if (type instanceof Schema s)
            struct(path + camel + "/", s, element(m));
    }
}
