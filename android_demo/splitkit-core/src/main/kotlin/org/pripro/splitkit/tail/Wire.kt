package org.pripro.splitkit.tail

import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.bundle.Coding
import org.pripro.splitkit.bundle.Json
import org.pripro.splitkit.bundle.JsonException
import org.pripro.splitkit.bundle.JsonNumber
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.coder.RansCoder
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A request's body, where its JSON header ends, and how many items it holds. */
public class WireRequest(public val body: ByteArray, public val headerLength: Int, public val items: Int)

/**
 * Entropy-coded features, wire version 2: the smallest messages that a tail behind a waist takes.
 *
 * @param spec what crosses: name, shape and layout.
 * @throws org.pripro.splitkit.BundleRefused a coding that is inconsistent, or of another shape.
 */
public class CodedEncoding(internal val spec: TensorSpec, internal val coding: Coding) {
    private val channelLast = spec.layout != "NCHW"
    private val channels = if (channelLast) spec.shape.last() else spec.shape[1]
    private val positions = spec.values / maxOf(channels, 1)
    private val coder: RansCoder

    init {
        if (channels != coding.levels.size || spec.values !in 1..MAX_CODES) {
            throw BundleRefused("The bundle's coding has ${coding.levels.size} channels for the shape ${spec.shape}; make the bundle anew.")
        }
        coder = RansCoder(coding, positions, channelLast)
    }

    /** How many codes one photo has. */
    internal val count: Int get() = coder.count

    internal fun message(codes: ByteArray): ByteArray = try {
        coder.encode(codes)
    } catch (error: IllegalArgumentException) {
        throw TailFailed.BadFeatures("${error.message}.")
    }

    /** As for uint8, with the channel's last level in place of 255. */
    internal fun quantise(smashed: FloatArray): ByteArray = ByteArray(smashed.size) { i ->
        val channel = if (channelLast) i % channels else i / positions % channels
        val code = Math.rint((smashed[i] / coding.scale[channel].toFloat()).toDouble()).toFloat() + coding.zeroPoint[channel]
        code.coerceIn(0f, (coding.levels[channel] - 1).toFloat()).toInt().toByte()
    }

    internal companion object {
        const val MAX_CODES = 1 shl 20
    }
}

/** Logits [items, classes], row by row. */
public class Logits(public val items: Int, public val classes: Int, public val values: FloatArray)

/**
 * The wire: Open Inference Protocol v2 with the binary tensor extension. A body is a JSON header without blanks, then the
 * tensor's little-endian bytes; tests/contract/wire holds the exact bytes.
 */
public object Wire {
    public const val HEADER_LENGTH: String = "Inference-Header-Content-Length"
    public const val BUNDLE_HEADER: String = "Pripro-Bundle-Id"
    public const val VERSION: Int = 2
    private const val MAX_LOGITS = 1L shl 24
    private val V2_NAMES = mapOf("float32" to "FP32", "float16" to "FP16", "uint8" to "UINT8")

    /** Whether this app can send that encoding. */
    public fun speaks(spec: TensorSpec): Boolean = spec.dtype in V2_NAMES

    /**
     * Writes one request.
     *
     * @param smashed features of one item or several, each in the order of the spec's shape.
     * @param spec the encoding to send, from the manifest's tail.inputs.
     * @param bundleId the head's bundle; null lets any tail answer.
     * @throws TailFailed.BadFeatures another number of values than the spec's, or one that is not finite in this encoding.
     */
    public fun encode(smashed: FloatArray, spec: TensorSpec, bundleId: String?): WireRequest {
        if (!smashed.all { it.isFinite() }) throw TailFailed.BadFeatures("they hold NaN or infinity.")
        val items = items(smashed.size, spec)
        return when (spec.dtype) {
            "uint8" -> request(quantise(smashed, spec), items, spec, bundleId)
            "float16" -> request(Float16.littleEndian(smashed), items, spec, bundleId)
            else -> request(littleEndian(smashed), items, spec, bundleId)
        }
    }

    /** Writes one request of codes that the head itself made, as they are. */
    public fun encodeCodes(codes: ByteArray, spec: TensorSpec, bundleId: String?): WireRequest =
        request(codes, items(codes.size, spec), spec, bundleId)

    /**
     * Writes one request of entropy-coded features.
     *
     * @throws TailFailed.BadFeatures another number of values than the spec's, or one that is not finite.
     */
    public fun encode(smashed: FloatArray, encoding: CodedEncoding, bundleId: String?): WireRequest {
        if (!smashed.all { it.isFinite() }) throw TailFailed.BadFeatures("they hold NaN or infinity.")
        items(smashed.size, encoding.spec)
        return encodeCodes(encoding.quantise(smashed), encoding, bundleId)
    }

    /** Writes one request of codes that the head itself made, entropy-coded. */
    public fun encodeCodes(codes: ByteArray, encoding: CodedEncoding, bundleId: String?): WireRequest {
        val items = items(codes.size, encoding.spec)
        val payload = java.io.ByteArrayOutputStream()
        for (item in 0 until items) {
            val message = encoding.message(codes.copyOfRange(item * encoding.count, (item + 1) * encoding.count))
            payload.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(message.size).array())
            payload.write(message)
        }
        val parameters = mapOf("table_id" to encoding.coding.tableId, "binary_data_size" to payload.size())
        return request(payload.toByteArray(), items, encoding.spec.name, "BYTES", listOf(items), parameters, bundleId)
    }

    /** Affine codes: round half to even of x / scale, plus zero point, clipped to 0..255; all in float32, as the tail's Python does. */
    public fun quantise(smashed: FloatArray, spec: TensorSpec): ByteArray {
        val codes = ByteArray(smashed.size)
        eachValue(smashed.size, spec) { i, step, offset ->
            val code = Math.rint((smashed[i] / step).toDouble()).toFloat() + offset
            codes[i] = code.coerceIn(0f, 255f).toInt().toByte()
        }
        return codes
    }

    /** The features that codes stand for, as the tail reads them; [quantise] makes exactly these codes of them again. */
    public fun features(codes: ByteArray, spec: TensorSpec): FloatArray {
        val smashed = FloatArray(codes.size)
        eachValue(codes.size, spec) { i, step, offset -> smashed[i] = ((codes[i].toInt() and 0xff) - offset) * step }
        return smashed
    }

    /**
     * The same of codes that a runtime without bytes gives as whole numbers.
     *
     * @throws IllegalArgumentException one of them is no code.
     */
    public fun features(codes: FloatArray, spec: TensorSpec): FloatArray {
        val bytes = ByteArray(codes.size) { i ->
            val code = codes[i].toInt()
            require(code in 0..255 && code.toFloat() == codes[i]) { "the head gave ${codes[i]}, which is no code" }
            code.toByte()
        }
        return features(bytes, spec)
    }

    /** Calls back with each value's place and its channel's scale and zero point. */
    private inline fun eachValue(size: Int, spec: TensorSpec, value: (Int, Float, Float) -> Unit) {
        val scale = requireNotNull(spec.scale) { "uint8 needs a scale" }.map { it.toFloat() }
        val zero = requireNotNull(spec.zeroPoint) { "uint8 needs a zero point" }
        // the channel is the second dimension of NCHW and NC, the last of other layouts
        val isLast = spec.layout != "NCHW" && spec.layout != "NC"
        val channels = if (isLast) spec.shape.last() else spec.shape[1]
        val perChannel = if (isLast) 1 else spec.values / channels
        for (block in 0 until size / perChannel) {
            val channel = block % channels
            val step = scale[if (scale.size == 1) 0 else channel]
            val offset = zero[if (zero.size == 1) 0 else channel].toFloat()
            for (i in block * perChannel until (block + 1) * perChannel) value(i, step, offset)
        }
    }

    /**
     * Reads an answer.
     *
     * @param headerLength what the response's header of that name says, or null.
     * @throws TailFailed.BadAnswer not an answer of this protocol, or not finite.
     */
    public fun decode(headerLength: String?, body: ByteArray): Logits {
        val split = headerLength?.takeIf { text -> text.all { it in '0'..'9' } }?.toIntOrNull()
        if (split == null || split !in 1..body.size) throw TailFailed.BadAnswer("no $HEADER_LENGTH that fits its ${body.size} bytes")
        val output = try {
            ((Json.parse(body, 0, split) as? Map<*, *>)?.get("outputs") as? List<*>)?.singleOrNull() as? Map<*, *>
        } catch (error: JsonException) {
            throw TailFailed.BadAnswer(error.message ?: "not JSON", error)
        } ?: throw TailFailed.BadAnswer("it does not hold exactly one output")
        if (output["name"] != "logits" || output["datatype"] != "FP32") throw TailFailed.BadAnswer("it is not logits in FP32")
        val shape = (output["shape"] as? List<*>)?.map { whole(it) ?: 0 } ?: emptyList()
        // each at most 2^24, so that no product below can wrap
        if (shape.size != 2 || shape.any { it !in 1..MAX_LOGITS }) throw TailFailed.BadAnswer("its shape is not [n, K]")
        val (items, classes) = shape
        val there = (body.size - split).toLong()
        if (items * classes * 4 != there || whole((output["parameters"] as? Map<*, *>)?.get("binary_data_size")) != there) {
            throw TailFailed.BadAnswer("its size is not what its shape says")
        }
        val logits = FloatArray((items * classes).toInt())
        ByteBuffer.wrap(body, split, body.size - split).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(logits)
        if (!logits.all { it.isFinite() }) throw TailFailed.BadAnswer("it holds NaN or infinity")
        return Logits(items.toInt(), classes.toInt(), logits)
    }

    /** Float32 values as the wire and the reports spell them. */
    public fun littleEndian(values: FloatArray): ByteArray {
        val bytes = ByteArray(values.size * 4)
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values)
        return bytes
    }

    private fun items(values: Int, spec: TensorSpec): Int {
        if (spec.values < 1) throw TailFailed.BadFeatures("the tail's shape ${spec.shape} holds none.")
        val items = values / spec.values
        if (items < 1 || items * spec.values != values) {
            throw TailFailed.BadFeatures("they are $values values, the tail takes ${spec.values} for each item.")
        }
        return items
    }

    private fun request(payload: ByteArray, items: Int, spec: TensorSpec, bundleId: String?): WireRequest {
        val datatype = V2_NAMES[spec.dtype] ?: throw TailFailed.BadFeatures("this app does not speak ${spec.dtype}.")
        val size = mapOf("binary_data_size" to payload.size)
        return request(payload, items, spec.name, datatype, listOf(items) + spec.shape.drop(1), size, bundleId)
    }

    private fun request(
        payload: ByteArray,
        items: Int,
        name: String,
        datatype: String,
        shape: List<Int>,
        parameters: Map<String, Any>,
        bundleId: String?,
    ): WireRequest {
        val input = mapOf("name" to name, "datatype" to datatype, "shape" to shape, "parameters" to parameters)
        val bundle = if (bundleId == null) emptyMap() else mapOf("parameters" to mapOf("bundle_id" to bundleId))
        val wanted = mapOf("name" to "logits", "parameters" to mapOf("binary_data" to true))
        val header = CanonicalJson.write(bundle + mapOf("inputs" to listOf(input), "outputs" to listOf(wanted)))
        return WireRequest(header.toByteArray(Charsets.US_ASCII) + payload, header.length, items)
    }

    private fun whole(value: Any?): Long? = (value as? JsonNumber)?.toLongOrNull()
}
