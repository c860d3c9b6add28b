package org.pripro.splitkit.bundle

import org.pripro.splitkit.BundleRefused

/** Reads manifest.json as strictly as toolkit/records/bundle.py does; tests/contract holds the cases. */
internal object ManifestReader {
    private val SHA256 = Regex("[0-9a-f]{64}")
    private val TABLE_ID = Regex("[0-9a-f]{16}")
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
            task = if (has("task")) task(child("task")) else Task("classify", "top-1", guessed = true, settings = emptyMap()),
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
            data = optional("data", ::data),
        )
    }

    private fun data(of: Fields) = of.all { DataRef(text("spec"), sha256("digest"), long("photos", least = 1)) }

    private fun task(of: Fields) = of.all {
        Task(text("name"), text("metric"), boolean("guessed"), if (has("settings")) map("settings", Fields::double) else emptyMap())
    }

    private fun preprocess(of: Fields) = of.all {
        Preprocess(
            channels = int("channels").also { if (it != 1 && it != 3) refuse("channels", "must be 1 or 3, not $it") },
            height = int("height"),
            width = int("width"),
            resize = oneOf("resize", "stretch", "center-crop", "shorter-side", "pad", otherwise = "stretch"),
            interpolation = oneOf("interpolation", "bilinear", "bicubic", "nearest", otherwise = "bilinear"),
            mean = doubles("mean"),
            std = doubles("std"),
            shorterSide = if (has("shorter_side")) longOrNull("shorter_side")?.toInt() else null,
            antialias = if (has("antialias")) boolean("antialias") else true,
            order = oneOf("order", "RGB", "BGR", otherwise = "RGB"),
            valueRange = if (has("value_range")) int("value_range").also { if (it != 1 && it != 255) refuse("value_range", "must be 1 or 255, not $it") } else 1,
        )
    }

    private fun split(of: Fields) = of.all {
        Split(
            cut = text("cut"),
            image = tensor(child("image")),
            crossing = tensors("crossing", 1..4),
            outputs = tensors("outputs", 1..Int.MAX_VALUE),
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
            data = childOrNull("data")?.let(::data),
            train = oneOf("train", "injector", "waist", "all", otherwise = "injector"),
            eps = tensors("eps", 0..4),
            noise = oneOf("noise", "memoised", "fresh", otherwise = "memoised"),
            weights = file(child("weights")),
            trainsHead = boolean("trains_head"),
            statistics = map("statistics", Fields::double),
            accuracy = childOrNull("accuracy")?.all {
                AccuracyReport(
                    int("images"),
                    int("draws"),
                    double("unprotected"),
                    double("protected"),
                    metric = if (has("metric")) text("metric") else "top-1",
                    labelled = if (has("labelled")) boolean("labelled") else true,
                )
            },
            wireUint8 = tensors("wire_uint8", 1..4),
            waist = optional("waist", ::waist),
            certificate = optional("certificate", ::certificate),
        )
    }

    private fun waist(of: Fields) = of.all {
        Waist(
            shape = ints("shape").also { if (it.size != 3) refuse("shape", "must be [c, h, w]") },
            encoderMacs = long("encoder_macs"),
            decoderMacs = long("decoder_macs"),
            decoderParameters = long("decoder_parameters"),
            coding = coding(child("coding")),
        )
    }

    private fun certificate(of: Fields) = of.all {
        Certificate(
            messageBitsMean = double("message_bits_mean"),
            messageBitsP99 = double("message_bits_p99"),
            messageBitsMax = double("message_bits_max"),
            capacityBits = doubleOrNull("capacity_bits"),
            priorMse = double("prior_mse"),
            mseBound = doubleOrNull("mse_bound"),
            note = text("note"),
        )
    }

    private fun coding(of: Fields) = of.all {
        Coding(
            coder = oneOf("coder", "rans-1"),
            tableId = match("table_id", TABLE_ID, "16 digits in lower-case hex"),
            precisionBits = int("precision_bits", least = 1).also { if (it > 16) refuse("precision_bits", "must be at most 16, not $it") },
            levels = ints("levels").also { all -> if (all.any { it !in 2..256 }) refuse("levels", "must hold numbers from 2 to 256") },
            scale = doubles("scale"),
            zeroPoint = ints("zero_point"),
            tables = intLists("tables").also { all -> if (all.any { table -> table.any { it < 1 } }) refuse("tables", "must hold numbers above 0") },
            padBytes = if (has("pad_bytes")) longOrNull("pad_bytes")?.let { intOrRefuse("pad_bytes", it) } else null,
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
            wireVersion = int("wire_version").also { if (it !in 1..2) refuse("wire_version", "must be 1 or 2, not $it") },
            inputs = children("inputs").map(::tensor),
            outputs = children("outputs").map(::tensor),
            coding = optional("coding", ::coding),
        )
    }

    private fun golden(of: Fields) = of.all {
        Golden(
            n = int("n"),
            seed = long("seed"),
            inputs = file(child("inputs")),
            expected = file(child("expected")),
            tolerances = map("tolerances", Fields::double),
            secretHex = if (has("secret_hex")) textOrNull("secret_hex")?.let { match("secret_hex", SHA256, "64 digits in lower-case hex") } else null,
            messages = optional("messages", ::file),
        )
    }

    private fun tensor(of: Fields) = of.all {
        TensorSpec(
            name = text("name"),
            dtype = oneOf("dtype", "float32", "float16", "uint8", "int8"),
            shape = ints("shape"),
            layout = oneOf("layout", "NCHW", "NHWC", "NTC", "NC", "N", otherwise = "NCHW"),
            scale = doublesOrNull("scale"),
            zeroPoint = intsOrNull("zero_point"),
            grid = intsOrNull("grid")?.also { if (it.size != 2) refuse("grid", "must be [h, w]") },
            prefixTokens = if (has("prefix_tokens")) int("prefix_tokens", least = 0) else 0,
        )
    }

    private fun Fields.tensors(key: String, count: IntRange): List<TensorSpec> = children(key).map(::tensor).also {
        if (it.size !in count) refuse(key, "must hold ${count.first} to ${count.last} tensors, not ${it.size}")
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
