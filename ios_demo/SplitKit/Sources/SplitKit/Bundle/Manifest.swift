/// manifest.json as typed data, field by field as toolkit/records/bundle.py has it.
public struct Manifest: Record {
    public static let schemaVersion = 2

    public var bundleID: String
    public var createdUTC: String
    public var tools: OrderedMap<String>
    public var model: Model
    public var task: Task
    public var preprocess: Preprocess
    public var labels: [String]
    public var split: Split
    public var protection: Protection?
    public var heads: [Head]
    public var tail: Tail?
    public var golden: Golden?
    public var stages: OrderedMap<String>

    public init(_ fields: Fields) throws {
        _ = try fields.value("schema_version", Read.integer)  // looked at before everything else, see ModelBundle.parse
        bundleID = try fields.value("bundle_id", Read.sha256)
        createdUTC = try fields.value("created_utc", Read.string)
        tools = try fields.value("tools", Read.map(Read.string))
        model = try fields.value("model", Read.record)
        task = try fields.value("task", otherwise: .classify, Read.record)
        preprocess = try fields.value("preprocess", Read.record)
        labels = try fields.list("labels", Read.string)
        split = try fields.value("split", Read.record)
        protection = try fields.optional("protection", mayBeAbsent: true, Read.record)
        heads = try fields.list("heads", mayBeAbsent: true, Read.record)
        tail = try fields.optional("tail", mayBeAbsent: true, Read.record)
        golden = try fields.optional("golden", mayBeAbsent: true, Read.record)
        stages = try fields.value("stages", otherwise: OrderedMap(), Read.map(Read.string))
    }

    public var json: JSON {
        [
            "schema_version": Self.schemaVersion.json, "bundle_id": bundleID.json, "created_utc": createdUTC.json,
            "tools": tools.json, "model": model.json, "task": task.json, "preprocess": preprocess.json, "labels": labels.json,
            "split": split.json, "protection": protection.json, "heads": heads.json, "tail": tail.json,
            "golden": golden.json, "stages": stages.json,
        ]
    }

    /// The id that fits this content: what a head and a tail must agree on, hashed.
    public func computeID() throws -> String {
        let protectionPart: JSON = protection.map {
            .array([
                $0.method.json, $0.weights.sha256.json, $0.eps.json, $0.train.json, $0.noise.json, $0.wireUInt8.json, $0.waist.json,
            ])
        } ?? .null
        let agreed = JSON.array([
            Self.schemaVersion.json, model.program.sha256.json, split.cut.json, preprocess.json, labels.json, task.json,
            protectionPart,
        ])
        return SHA256.hexadecimal(of: try agreed.text(.identity).utf8)
    }

    /// One file of the bundle.
    public struct FileRef: Record {
        public var path: String
        public var sha256: String
        public var bytes: Int

        public init(_ fields: Fields) throws {
            path = try fields.value("path", BundlePath.read)
            sha256 = try fields.value("sha256", Read.sha256)
            bytes = try fields.value("bytes", Read.integer(atLeast: 0))
        }

        public var json: JSON { ["path": path.json, "sha256": sha256.json, "bytes": bytes.json] }
    }

    /// The trained network: where it came from and its exported program.
    public struct Model: Record {
        public var source: String
        public var parameters: Int
        public var weightsSHA256: String?
        public var program: FileRef
        public var accuracy: Double?
        public var data: DataRef?

        public init(_ fields: Fields) throws {
            source = try fields.value("source", Read.string)
            parameters = try fields.value("parameters", Read.integer)
            weightsSHA256 = try fields.optional("weights_sha256", Read.sha256)
            program = try fields.value("program", Read.record)
            accuracy = try fields.optional("accuracy", mayBeAbsent: true, Read.number)
            data = try fields.optional("data", mayBeAbsent: true, Read.record)
        }

        public var json: JSON {
            [
                "source": source.json, "parameters": parameters.json, "weights_sha256": weightsSHA256.json,
                "program": program.json, "accuracy": accuracy.json, "data": data.json,
            ]
        }
    }

    /// Where the network is cut and what crosses.
    public struct Split: Record {
        public var cut: String
        public var image: TensorSpec
        public var crossing: [TensorSpec]
        public var outputs: [TensorSpec]
        public var headMACs: Int
        public var tailMACs: Int
        public var headParameters: Int
        public var tailParameters: Int

        public init(_ fields: Fields) throws {
            cut = try fields.value("cut", Read.string)
            image = try fields.value("image", Read.record)
            crossing = try fields.list("crossing", count: 1...4, Read.record)
            outputs = try fields.list("outputs", count: 1...Int.max, Read.record)
            headMACs = try fields.value("head_macs", Read.integer)
            tailMACs = try fields.value("tail_macs", Read.integer)
            headParameters = try fields.value("head_parameters", Read.integer)
            tailParameters = try fields.value("tail_parameters", Read.integer)
        }

        public var json: JSON {
            [
                "cut": cut.json, "image": image.json, "crossing": crossing.json, "outputs": outputs.json,
                "head_macs": headMACs.json, "tail_macs": tailMACs.json,
                "head_parameters": headParameters.json, "tail_parameters": tailParameters.json,
            ]
        }
    }

    /// The one tensor that crosses, as float32: behind a waist its values, else the cut's own.
    ///
    /// - Throws: `BundleError` where several do.
    public func smashed() throws -> TensorSpec {
        if let waist = protection?.waist { return TensorSpec(name: "smashed", dtype: .float32, shape: [-1] + waist.shape) }
        guard split.crossing.count == 1 else {
            throw BundleError("\(split.crossing.count) tensors cross at \(split.cut) and this app sends one; choose a cut point where one tensor crosses.")
        }
        return split.crossing[0]
    }

    /// What the tail hands out: every output, one behind the other.
    ///
    /// - Throws: `SchemaError` where an output has no shape that can be.
    public func logits() throws -> TensorSpec {
        TensorSpec(name: "logits", dtype: .float32, shape: [-1, try split.outputs.reduce(0) { try $0 + $1.itemCount() }], layout: .nc)
    }

    /// One converted head. `entry` is what a runtime opens: a file, or the .mlpackage folder.
    public struct Head: Record {
        public var target: String
        public var precision: String
        public var backend: String
        public var entry: String
        public var files: [FileRef]
        public var inputs: [TensorSpec]
        public var outputs: [TensorSpec]
        public var opsDelegated: Int?
        public var opsTotal: Int?
        public var notRun: String?
        public var tools: OrderedMap<String>

        public init(_ fields: Fields) throws {
            target = try fields.value("target", Read.string)
            precision = try fields.value("precision", Read.string)
            backend = try fields.value("backend", Read.string)
            entry = try fields.value("entry", BundlePath.read)
            files = try fields.list("files", Read.record)
            inputs = try fields.list("inputs", Read.record)
            outputs = try fields.list("outputs", Read.record)
            opsDelegated = try fields.optional("ops_delegated", Read.integer)
            opsTotal = try fields.optional("ops_total", Read.integer)
            notRun = try fields.optional("not_run", Read.string)
            tools = try fields.value("tools", Read.map(Read.string))
        }

        public var json: JSON {
            [
                "target": target.json, "precision": precision.json, "backend": backend.json, "entry": entry.json,
                "files": files.json, "inputs": inputs.json, "outputs": outputs.json,
                "ops_delegated": opsDelegated.json, "ops_total": opsTotal.json, "not_run": notRun.json, "tools": tools.json,
            ]
        }
    }

    /// The cloud's half. `inputs` lists every accepted encoding of the smashed features.
    public struct Tail: Record {
        public var name: String
        public var archive: FileRef
        public var route: String
        public var wireVersion: Int
        public var inputs: [TensorSpec]
        public var outputs: [TensorSpec]
        public var coding: Coding?

        public init(_ fields: Fields) throws {
            name = try fields.value("name", Read.string(like: "a name of letters, digits, _ and -", Self.isName))
            archive = try fields.value("archive", Read.record)
            route = try fields.value("route", Read.string)
            wireVersion = try fields.value("wire_version", Read.integer(in: 1...2))
            inputs = try fields.list("inputs", Read.record)
            outputs = try fields.list("outputs", Read.record)
            coding = try fields.optional("coding", mayBeAbsent: true, Read.record)
        }

        private static func isName(_ text: String) -> Bool {
            guard let first = text.unicodeScalars.first, first.isASCII, first.properties.isAlphabetic else { return false }
            return text.utf8.count <= 64
                && text.unicodeScalars.allSatisfy {
                    $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "_" || $0 == "-")
                }
        }

        public var json: JSON {
            [
                "name": name.json, "archive": archive.json, "route": route.json, "wire_version": wireVersion.json,
                "inputs": inputs.json, "outputs": outputs.json, "coding": coding.json,
            ]
        }
    }

    /// Real inputs with fixed eps and what eager torch answers.
    public struct Golden: Record {
        public var n: Int
        public var seed: Int
        public var inputs: FileRef
        public var expected: FileRef
        public var tolerances: OrderedMap<Double>
        /// The device secret that memoised noise of the goldens was drawn with.
        public var secretHex: String?
        public var messages: FileRef?

        public init(_ fields: Fields) throws {
            n = try fields.value("n", Read.integer)
            seed = try fields.value("seed", Read.integer)
            inputs = try fields.value("inputs", Read.record)
            expected = try fields.value("expected", Read.record)
            tolerances = try fields.value("tolerances", Read.map(Read.number))
            secretHex = try fields.optional("secret_hex", mayBeAbsent: true, Read.sha256)
            messages = try fields.optional("messages", mayBeAbsent: true, Read.record)
        }

        public var json: JSON {
            [
                "n": n.json, "seed": seed.json, "inputs": inputs.json, "expected": expected.json,
                "tolerances": tolerances.json, "secret_hex": secretHex.json, "messages": messages.json,
            ]
        }
    }
}

/// A path inside the bundle: relative, forward slashes, no part that is empty, `.` or `..`.
enum BundlePath {
    static func read(_ value: JSON, _ path: String) throws -> String {
        try Read.string(like: "a path inside the bundle", isInside)(value, path)
    }

    static func isInside(_ path: String) -> Bool {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            let name = part.first == UInt8(ascii: ".") ? part.dropFirst() : part
            guard let first = name.first, first != UInt8(ascii: ".") else { return false }
            return name.allSatisfy { byte in
                switch UnicodeScalar(byte) {
                case "A"..."Z", "a"..."z", "0"..."9", ".", "_", "@", "-": true
                default: false
                }
            }
        }
    }
}
