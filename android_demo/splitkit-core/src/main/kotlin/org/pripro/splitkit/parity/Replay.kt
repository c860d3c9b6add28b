package org.pripro.splitkit.parity

import org.pripro.splitkit.bench.Cancelled
import org.pripro.splitkit.bench.Device
import org.pripro.splitkit.bench.PhoneState
import org.pripro.splitkit.bench.RowSource
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.BundleId
import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.bundle.GoldenTensor
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.bundle.Safetensors
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.tail.Wire
import java.security.MessageDigest

/** One golden replayed here: what went in (as hashes), what came out. */
public data class DeviceOutput(
    val index: Int,
    val source: RowSource,
    val imageSha256: String,
    val epsSha256: String,
    val smashedBase64: String,
    val logits: List<Double>?,
) {
    internal fun json(): Map<String, Any?> = mapOf("index" to index) + source.json() + mapOf(
        "image_sha256" to imageSha256,
        "eps_sha256" to epsSha256,
        "smashed_base64" to smashedBase64,
        "logits" to logits,
    )
}

/** What the Parity screen writes and `pripro verify --device-report` reads, as canonical JSON. */
public data class DeviceParityReport(val bundleId: String, val createdUtc: String, val device: Device, val outputs: List<DeviceOutput>) {
    public fun write(): String = CanonicalJson.write(
        mapOf(
            "schema_version" to 1,
            "kind" to "device-parity",
            "bundle_id" to bundleId,
            "created_utc" to createdUtc,
            "device" to device.json(),
            "outputs" to outputs.map { it.json() },
        ),
    ) + "\n"
}

/**
 * One line for the screen: the largest difference from what eager torch answered, of the features and, where a tail was asked, of
 * the answer. [sameTop1] is null where no tail was asked or the task is not to classify.
 */
public data class ReplayedRow(val head: String, val index: Int, val maxAbs: Double, val answerMaxAbs: Double?, val sameTop1: Boolean?)

/** Runs every head on every golden row with that row's fixed noise: the only place where noise is not drawn. */
public class Replay(
    private val bundle: Bundle,
    private val phone: PhoneState,
    private val source: (Head, HeadRunner) -> RowSource,
    private val open: (Head) -> HeadRunner,
    /** Sends features to the tail; null when no address is set. */
    private val tail: ((FloatArray) -> FloatArray)?,
) {
    /**
     * @param progress called after each row.
     * @throws Cancelled when [cancelled] says so.
     */
    public fun run(heads: List<Head>, progress: (ReplayedRow) -> Unit, cancelled: () -> Boolean): DeviceParityReport {
        val golden = bundle.golden()
        val inputs = Safetensors.read("golden inputs", bundle.read(golden.inputs))
        val expected = Safetensors.read("golden outputs", bundle.read(golden.expected))
        val outputs = ArrayList<DeviceOutput>()
        for (head in heads) {
            open(head).use { runner ->
                for (index in 0 until golden.n) {
                    if (cancelled()) throw Cancelled()
                    val image = inputs.getValue("image").row(index)
                    val eps = inputs["eps"]?.row(index)
                    val smashed = runner.run(image, eps)
                    val logits = tail?.invoke(smashed)
                    outputs.add(output(index, source(head, runner), image, eps, smashed, logits))
                    progress(compare(head, index, smashed, logits, expected))
                }
            }
        }
        return DeviceParityReport(bundle.manifest.bundleId, phone.nowUtc(), phone.device, outputs)
    }

    private fun output(
        index: Int,
        source: RowSource,
        image: FloatArray,
        eps: FloatArray?,
        smashed: FloatArray,
        logits: FloatArray?,
    ) = DeviceOutput(
        index = index,
        source = source,
        imageSha256 = sha256(image),
        epsSha256 = eps?.let(::sha256) ?: "",
        smashedBase64 = java.util.Base64.getEncoder().encodeToString(Wire.littleEndian(smashed)),
        logits = logits?.map { it.toDouble() },
    )

    private fun compare(
        head: Head,
        index: Int,
        smashed: FloatArray,
        logits: FloatArray?,
        expected: Map<String, GoldenTensor>,
    ): ReplayedRow {
        val wanted = expected.getValue("smashed").row(index)
        val answer = expected.getValue("logits").row(index)
        val same = logits?.takeIf { bundle.manifest.task.name == "classify" }?.let { argmax(it) == argmax(answer) }
        return ReplayedRow(head.title, index, difference(smashed, wanted), logits?.let { difference(it, answer) }, same)
    }

    private fun difference(found: FloatArray, wanted: FloatArray): Double = found.indices.maxOf { Math.abs(found[it].toDouble() - wanted[it]) }

    private fun argmax(values: FloatArray): Int = values.indices.maxByOrNull { values[it] } ?: -1

    private fun sha256(values: FloatArray) = BundleId.hex(MessageDigest.getInstance("SHA-256").digest(Wire.littleEndian(values)))
}
