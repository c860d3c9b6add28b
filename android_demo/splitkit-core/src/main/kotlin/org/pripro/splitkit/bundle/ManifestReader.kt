package org.pripro.splitkit.bundle

import org.pripro.splitkit.BundleRefused

/** Reads manifest.json as strictly as toolkit/records/bundle.py does; tests/contract holds the cases. */
internal object ManifestReader {
    private val SHA256 = Regex("[0-9a-f]{64}")
    private val PATH = Regex("""\.?[A-Za-z0-9_@-][A-Za-z0-9._@-]*(/\.?[A-Za-z0-9_@-][A-Za-z0-9._@-]*)*""")
    private val TAIL_NAME = Regex("[A-Za-z][A-Za-z0-9_-]{0,63}")

    /**
     * @param data the bytes of manifest.json.
     * @throws BundleRefused not JSON, of another schema version, with unknown or missing keys, or with a bundle_id that
     *     does not fit the content.
     */
    fun read(data: ByteArray): Manifest {
        val raw = try {
            Json.parse(data)
        } catch (error: JsonException) {
            throw BundleRefused("The bundle's manifest.json is ${error.message}; copy the bundle into the app again.", error)
        }
        // before anything else: a later schema may differ everywhere, and this is the message that helps then
        val version = (raw as? Map<*, *>)?.get("schema_version")
        if ((version as? JsonNumber)?.toLongOrNull() != Manifest.SCHEMA_VERSION.toLong()) {
            val found = if (version is JsonNumber) version.text else "none"
            throw BundleRefused(
                "The bundle's schema_version is $found, this app reads ${Manifest.SCHEMA_VERSION}; " +
                    "use the app that belongs to the pripro that made it.",
            )
        }
        val manifest = manifest(Fields.of("", raw))
        if (manifest.bundleId != BundleId.of(manifest)) {
            throw BundleRefused("The bundle was edited: its bundle_id does not fit its content; copy the bundle into the app again.")
        }
        return manifest
    }

    private fun manifest(of: Fields) = of.all {
        long("schema_version")
        Manifest(
            bundleId = sha256("bundle_id"),
            createdUtc = text("created_utc"),
            tools = map("tools", Fields::text),
            model = model(child("model")),
            preprocess = preprocess(child("preprocess")),
            labels = texts("labels"),
            split = split(child("split")),
            protection = optional("protection", ::protection),
            heads = if (has("heads")) children("heads").map(::head) else emptyList(),
            tail = optional("tail", ::tail),
            golden = optional("golden", ::golden),
            stages = if (has("stages")) map("stages", Fields::text) else emptyMap(),
        )
    }

    private fun model(of: Fields) = of.all {
        Model(
            source = text("source"),
            parameters = long("parameters"),
            weightsSha256 = textOrNull("weights_sha256")?.let { sha256("weights_sha256") },
            program = file(child("program")),
            accuracy = if (has("accuracy")) doubleOrNull("accuracy") else null,
        )
    }

    private fun preprocess(of: Fields) = of.all {
        Preprocess(
            channels = int("channels").also { if (it != 1 && it != 3) refuse("channels", "must be 1 or 3, not $it") },
            height = int("height"),
            width = int("width"),
            resize = oneOf("resize", "stretch", "center-crop", otherwise = "stretch"),
            interpolation = oneOf("interpolation", "bilinear", otherwise = "bilinear"),
            mean = doubles("mean"),
            std = doubles("std"),
        )
    }

    private fun split(of: Fields) = of.all {
        Split(
            cut = text("cut"),
            image = tensor(child("image")),
            smashed = tensor(child("smashed")),
            logits = tensor(child("logits")),
            headMacs = long("head_macs"),
            tailMacs = long("tail_macs"),
            headParameters = long("head_parameters"),
            tailParameters = long("tail_parameters"),
        )
    }

    private fun protection(of: Fields) = of.all {
        Protection(
            method = text("method"),
            settings = map("settings") { fields, key -> fields.setting(key) },
            seed = long("seed"),
            data = textOrNull("data"),
            eps = childOrNull("eps")?.let(::tensor),
            weights = file(child("weights")),
            trainsHead = boolean("trains_head"),
            statistics = map("statistics", Fields::double),
            accuracy = childOrNull("accuracy")?.all {
                AccuracyReport(int("images"), int("draws"), double("unprotected"), double("protected"))
            },
            wireUint8 = tensor(child("wire_uint8")),
        )
    }

    private fun head(of: Fields) = of.all {
        Head(
            target = text("target"),
            precision = text("precision"),
            backend = text("backend"),
            entry = path("entry"),
            files = children("files").map(::file),
            inputs = children("inputs").map(::tensor),
            outputs = children("outputs").map(::tensor),
            opsDelegated = longOrNull("ops_delegated"),
            opsTotal = longOrNull("ops_total"),
            notRun = textOrNull("not_run"),
            tools = map("tools", Fields::text),
        )
    }

    private fun tail(of: Fields) = of.all {
        Tail(
            name = match("name", TAIL_NAME, "a letter and at most 63 letters, digits, '_' or '-'"),
            archive = file(child("archive")),
            route = text("route"),
            wireVersion = int("wire_version"),
            inputs = children("inputs").map(::tensor),
            outputs = children("outputs").map(::tensor),
        )
    }

    private fun golden(of: Fields) = of.all {
        Golden(
            n = int("n"),
            seed = long("seed"),
            inputs = file(child("inputs")),
            expected = file(child("expected")),
            tolerances = map("tolerances", Fields::double),
        )
    }

    private fun tensor(of: Fields) = of.all {
        TensorSpec(
            name = text("name"),
            dtype = oneOf("dtype", "float32", "float16", "uint8", "int8"),
            shape = ints("shape"),
            layout = oneOf("layout", "NCHW", "NHWC", "NC", "N", otherwise = "NCHW"),
            scale = doublesOrNull("scale"),
            zeroPoint = intsOrNull("zero_point"),
        )
    }

    private fun file(of: Fields) = of.all { FileRef(path("path"), sha256("sha256"), long("bytes", least = 0)) }

    private inline fun <T> Fields.all(read: Fields.() -> T): T = read().also { done() }

    private fun <T> Fields.optional(key: String, read: (Fields) -> T): T? = if (has(key)) childOrNull(key)?.let(read) else null

    private fun Fields.sha256(key: String) = match(key, SHA256, "a SHA-256 in lower-case hex")

    private fun Fields.path(key: String) = match(key, PATH, "a path inside of the bundle")

    private fun Fields.setting(key: String): Any? = when (val value = anything(key)) {
        null, is String -> value
        is JsonNumber -> value.toDouble()
        else -> refuse(key, "must be a number, text or null")
    }
}
