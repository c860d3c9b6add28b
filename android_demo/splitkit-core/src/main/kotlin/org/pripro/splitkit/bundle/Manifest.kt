package org.pripro.splitkit.bundle

import org.pripro.splitkit.BundleRefused

/** manifest.json as typed data; toolkit/records/bundle.py says what each part means, and names are the same. */
public data class Manifest(
    val bundleId: String,
    val createdUtc: String,
    val tools: Map<String, String>,
    val model: Model,
    val task: Task,
    val preprocess: Preprocess,
    val labels: List<String>,
    val split: Split,
    val protection: Protection?,
    val heads: List<Head>,
    val tail: Tail?,
    val golden: Golden?,
    val stages: Map<String, String>,
) {
    /**
     * The one tensor that crosses, as float32: behind a waist its values, else the cut's own.
     *
     * @throws BundleRefused several do.
     */
    public val smashed: TensorSpec
        get() = protection?.waist?.let { TensorSpec("smashed", "float32", listOf(-1) + it.shape) } ?: split.smashed

    public companion object {
        public const val SCHEMA_VERSION: Int = 2
    }
}

/** One file of the bundle, by its path inside. */
public data class FileRef(val path: String, val sha256: String, val bytes: Long)

/** One tensor at a boundary; -1 in the shape is the batch; one scale per channel, one for all, or none. */
public data class TensorSpec(
    val name: String,
    val dtype: String,
    val shape: List<Int>,
    val layout: String = "NCHW",
    val scale: List<Double>? = null,
    val zeroPoint: List<Int>? = null,
    val grid: List<Int>? = null,
    val prefixTokens: Int = 0,
) {
    /** How many values one item of the batch has. */
    val values: Int get() = shape.drop(1).fold(1) { product, size -> Math.multiplyExact(product, size) }
}

public data class Model(
    val source: String,
    val parameters: Long,
    val weightsSha256: String?,
    val program: FileRef,
    val accuracy: Double?,
    val data: DataRef?,
)

/** Photos, known by their content. */
public data class DataRef(val spec: String, val digest: String, val photos: Long)

/** What the user's network is for; `metric` is what "accuracy" means. */
public data class Task(val name: String, val metric: String, val guessed: Boolean, val settings: Map<String, Double>)

/** From a photo to the head's input; see photo/Preprocessor.kt. */
public data class Preprocess(
    val channels: Int,
    val height: Int,
    val width: Int,
    val resize: String,
    val interpolation: String,
    val mean: List<Double>,
    val std: List<Double>,
    val shorterSide: Int? = null,
    val antialias: Boolean = true,
    val order: String = "RGB",
    val valueRange: Int = 1,
)

public data class Split(
    val cut: String,
    val image: TensorSpec,
    val crossing: List<TensorSpec>,
    val outputs: List<TensorSpec>,
    val headMacs: Long,
    val tailMacs: Long,
    val headParameters: Long,
    val tailParameters: Long,
) {
    /** The one tensor that crosses at the cut; a waist may send another, see [Manifest.smashed]. */
    public val smashed: TensorSpec
        get() = crossing.singleOrNull()
            ?: throw BundleRefused("${crossing.size} tensors cross at $cut and this app sends one; choose a cut point where one tensor crosses.")
}

public data class AccuracyReport(
    val images: Int,
    val draws: Int,
    val unprotected: Double,
    val protected: Double,
    val metric: String,
    val labelled: Boolean,
)

/** How a waist's values become bytes; see coder/RansCoder.kt. All but `padBytes` is per channel. */
public data class Coding(
    val coder: String,
    val tableId: String,
    val precisionBits: Int,
    val levels: List<Int>,
    val scale: List<Double>,
    val zeroPoint: List<Int>,
    val tables: List<List<Int>>,
    val padBytes: Int?,
)

public data class Waist(
    val shape: List<Int>,
    val encoderMacs: Long,
    val decoderMacs: Long,
    val decoderParameters: Long,
    val coding: Coding,
)

/** What no attacker can exceed; bits per photo. */
public data class Certificate(
    val messageBitsMean: Double,
    val messageBitsP99: Double,
    val messageBitsMax: Double,
    val capacityBits: Double?,
    val priorMse: Double,
    val mseBound: Double?,
    val note: String,
)

public data class Protection(
    val method: String,
    val settings: Map<String, Any?>,
    val seed: Long,
    val data: DataRef?,
    val train: String,
    val eps: List<TensorSpec>,
    val noise: String,
    val weights: FileRef,
    val trainsHead: Boolean,
    val statistics: Map<String, Double>,
    val accuracy: AccuracyReport?,
    val wireUint8: List<TensorSpec>,
    val waist: Waist?,
    val certificate: Certificate?,
)

/** One converted head; `entry` is the file that a runtime opens. */
public data class Head(
    val target: String,
    val precision: String,
    val backend: String,
    val entry: String,
    val files: List<FileRef>,
    val inputs: List<TensorSpec>,
    val outputs: List<TensorSpec>,
    val opsDelegated: Long?,
    val opsTotal: Long?,
    val notRun: String?,
    val tools: Map<String, String>,
) {
    /** "executorch fp32 xnnpack": unique in a bundle, short enough for a list. */
    val title: String get() = "$target $precision $backend"
}

public data class Tail(
    val name: String,
    val archive: FileRef,
    val route: String,
    val wireVersion: Int,
    val inputs: List<TensorSpec>,
    val outputs: List<TensorSpec>,
    val coding: Coding?,
)

public data class Golden(
    val n: Int,
    val seed: Long,
    val inputs: FileRef,
    val expected: FileRef,
    val tolerances: Map<String, Double>,
    val secretHex: String?,
    val messages: FileRef?,
)
