/// What the Parity screen and `splitkit-parity` write; `pripro verify --device-report FILE` reads it.
public struct DeviceParityReport: Record {
    public static let kind = "device-parity"
    public var bundleID: String
    public var createdUTC: String
    public var device: Device
    public var outputs: [Output]

    public init(bundleID: String, createdUTC: String = .nowUTC, device: Device, outputs: [Output]) {
        self.bundleID = bundleID
        self.createdUTC = createdUTC
        self.device = device
        self.outputs = outputs
    }

    public init(_ fields: Fields) throws {
        try fields.reportHeader(kind: Self.kind)
        bundleID = try fields.value("bundle_id", Read.sha256)
        createdUTC = try fields.value("created_utc", Read.string)
        device = try fields.value("device", Read.record)
        outputs = try fields.list("outputs", Read.record)
    }

    public var json: JSON {
        [
            "schema_version": Report.version.json, "kind": Self.kind.json, "bundle_id": bundleID.json,
            "created_utc": createdUTC.json, "device": device.json, "outputs": outputs.json,
        ]
    }

    /// One golden row, replayed.
    public struct Output: Record {
        public var index: Int
        public var target: String
        public var precision: String
        public var backend: String
        public var runtime: String
        public var imageSHA256: String
        /// "" without noise.
        public var epsSHA256: String
        public var smashedBase64: String
        /// nil when the device was offline.
        public var logits: [Double]?

        init(row: GoldenRows.Row, head: ParityHead, smashed: [Float], logits: [Float]?) {
            index = row.index
            target = head.target
            precision = head.precision
            backend = head.backend
            runtime = head.runtime
            imageSHA256 = SHA256.hexadecimal(of: LittleEndian.data(row.image))
            epsSHA256 = row.eps.isEmpty ? "" : SHA256.hexadecimal(of: LittleEndian.data(row.eps))
            smashedBase64 = LittleEndian.data(smashed).base64EncodedString()
            self.logits = logits?.map(Double.init)
        }

        public init(_ fields: Fields) throws {
            index = try fields.value("index", Read.integer(atLeast: 0))
            target = try fields.value("target", Read.string)
            precision = try fields.value("precision", Read.string)
            backend = try fields.value("backend", Read.string)
            runtime = try fields.value("runtime", Read.string)
            imageSHA256 = try fields.value("image_sha256", Read.string)
            epsSHA256 = try fields.value("eps_sha256", Read.string)
            smashedBase64 = try fields.value("smashed_base64", Read.string)
            logits = try fields.optional("logits", Read.list(Read.number))
        }

        public var json: JSON {
            [
                "index": index.json, "target": target.json, "precision": precision.json, "backend": backend.json,
                "runtime": runtime.json, "image_sha256": imageSHA256.json, "eps_sha256": epsSHA256.json,
                "smashed_base64": smashedBase64.json, "logits": logits.json,
            ]
        }
    }
}
