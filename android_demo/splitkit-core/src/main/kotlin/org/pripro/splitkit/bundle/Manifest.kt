package org.pripro.splitkit.bundle

/** manifest.json as typed data; toolkit/records/bundle.py says what each part means, and names are the same. */
public data class Manifest(
    val bundleId: String,
    val createdUtc: String,
    val tools: Map<String, String>,
    val model: Model,
    val preprocess: Preprocess,
    val labels: List<String>,
    val split: Split,
    val protection: Protection?,
    val heads: List<Head>,
    val tail: Tail?,
    val golden: Golden?,
    val stages: Map<String, String>,
) {
    public companion object {
        public const val SCHEMA_VERSION: Int = 1
    }
}

/** One file of the bundle, by its path inside. */
public data class FileRef(val path: String, val sha256: String, val bytes: Long)

/** One tensor at a border; -1 in the shape is the batch; one scale per channel, one for all, or none. */
public data class TensorSpec(
    val name: String,
    val dtype: String,
    val shape: List<Int>,
    val layout: String = "NCHW",
    val scale: List<Double>? = null,
    val zeroPoint: List<Int>? = null,
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
)

/** From a photo to the head's input; see head/Preprocessor.kt. */
public data class Preprocess(
    val channels: Int,
    val height: Int,
    val width: Int,
    val resize: String,
    val interpolation: String,
    val mean: List<Double>,
    val std: List<Double>,
)

public data class Split(
    val cut: String,
    val image: TensorSpec,
    val smashed: TensorSpec,
    val logits: TensorSpec,
    val headMacs: Long,
    val tailMacs: Long,
    val headParameters: Long,
    val tailParameters: Long,
)

public data class AccuracyReport(val images: Int, val draws: Int, val unprotected: Double, val protected: Double)

public data class Protection(
    val method: String,
    val settings: Map<String, Any?>,
    val seed: Long,
    val data: String?,
    val eps: TensorSpec?,
    val weights: FileRef,
    val trainsHead: Boolean,
    val statistics: Map<String, Double>,
    val accuracy: AccuracyReport?,
    val wireUint8: TensorSpec,
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
)

public data class Golden(
    val n: Int,
    val seed: Long,
    val inputs: FileRef,
    val expected: FileRef,
    val tolerances: Map<String, Double>,
)
