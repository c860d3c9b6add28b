extension Manifest {
    /// What is fused behind the head. `eps`: the head's further inputs, standard normal; one per protected tensor.
    public struct Protection: Record {
        public enum Train: String, CaseIterable, JSONConvertible { case injector, waist, all }

        /// Memoised: the same photo on the same device always draws the same noise.
        public enum Noise: String, CaseIterable, JSONConvertible { case memoised, fresh }

        public var method: String
        public var settings: OrderedMap<Setting>
        public var seed: Int
        public var data: DataRef?
        public var train: Train
        public var eps: [TensorSpec]
        public var noise: Noise
        public var weights: FileRef
        public var trainsHead: Bool
        public var statistics: OrderedMap<Double>
        public var accuracy: Accuracy?
        public var wireUInt8: [TensorSpec]
        public var waist: Waist?
        public var certificate: Certificate?

        public init(_ fields: Fields) throws {
            method = try fields.value("method", Read.string)
            settings = try fields.value("settings", Read.map(Setting.read))
            seed = try fields.value("seed", Read.integer)
            data = try fields.optional("data", Read.record)
            train = try fields.value("train", otherwise: .injector, Read.choice)
            eps = try fields.list("eps", count: 0...4, Read.record)
            noise = try fields.value("noise", otherwise: .memoised, Read.choice)
            weights = try fields.value("weights", Read.record)
            trainsHead = try fields.value("trains_head", Read.bool)
            statistics = try fields.value("statistics", Read.map(Read.number))
            accuracy = try fields.optional("accuracy", Read.record)
            wireUInt8 = try fields.list("wire_uint8", count: 1...4, Read.record)
            waist = try fields.optional("waist", mayBeAbsent: true, Read.record)
            certificate = try fields.optional("certificate", mayBeAbsent: true, Read.record)
        }

        public var json: JSON {
            [
                "method": method.json, "settings": settings.json, "seed": seed.json, "data": data.json, "train": train.json,
                "eps": eps.json, "noise": noise.json, "weights": weights.json, "trains_head": trainsHead.json,
                "statistics": statistics.json, "accuracy": accuracy.json, "wire_uint8": wireUInt8.json, "waist": waist.json,
                "certificate": certificate.json,
            ]
        }
    }

    /// How a waist's values become bytes; see `RANSCoder`. All but `padBytes` is per channel.
    public struct Coding: Record {
        public enum Coder: String, CaseIterable, JSONConvertible { case rans1 = "rans-1" }

        public var coder: Coder
        public var tableID: String
        public var precisionBits: Int
        public var levels: [Int]
        public var scale: [Double]
        public var zeroPoint: [Int]
        public var tables: [[Int]]
        public var padBytes: Int?

        public init(_ fields: Fields) throws {
            coder = try fields.value("coder", Read.choice)
            tableID = try fields.value("table_id", Read.string(like: "16 digits in lower-case hex", Self.isID))
            precisionBits = try fields.value("precision_bits", Read.integer(in: 1...16))
            levels = try fields.list("levels", Read.integer(in: 2...256))
            scale = try fields.list("scale", Read.number)
            zeroPoint = try fields.list("zero_point", Read.integer)
            tables = try fields.list("tables", Read.list(Read.integer(atLeast: 1)))
            padBytes = try fields.optional("pad_bytes", mayBeAbsent: true, Read.integer)
        }

        public var json: JSON {
            [
                "coder": coder.json, "table_id": tableID.json, "precision_bits": precisionBits.json, "levels": levels.json,
                "scale": scale.json, "zero_point": zeroPoint.json, "tables": .array(tables.map(\.json)),
                "pad_bytes": padBytes.json,
            ]
        }

        private static func isID(_ text: String) -> Bool {
            text.utf8.count == 16 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
    }

    /// The narrow waist: an encoder in the head, a decoder in the tail; `shape` [c, h, w] is what crosses.
    public struct Waist: Record {
        public var shape: [Int]
        public var encoderMACs: Int
        public var decoderMACs: Int
        public var decoderParameters: Int
        public var coding: Coding

        public init(_ fields: Fields) throws {
            shape = try fields.list("shape", count: 3...3, Read.integer)
            encoderMACs = try fields.value("encoder_macs", Read.integer)
            decoderMACs = try fields.value("decoder_macs", Read.integer)
            decoderParameters = try fields.value("decoder_parameters", Read.integer)
            coding = try fields.value("coding", Read.record)
        }

        public var json: JSON {
            [
                "shape": shape.json, "encoder_macs": encoderMACs.json, "decoder_macs": decoderMACs.json,
                "decoder_parameters": decoderParameters.json, "coding": coding.json,
            ]
        }
    }

    /// What no attacker can exceed; bits per photo.
    public struct Certificate: Record {
        public var messageBitsMean: Double
        public var messageBitsP99: Double
        public var messageBitsMax: Double
        public var capacityBits: Double?
        public var priorMSE: Double
        public var mseBound: Double?
        public var note: String

        public init(_ fields: Fields) throws {
            messageBitsMean = try fields.value("message_bits_mean", Read.number)
            messageBitsP99 = try fields.value("message_bits_p99", Read.number)
            messageBitsMax = try fields.value("message_bits_max", Read.number)
            capacityBits = try fields.optional("capacity_bits", Read.number)
            priorMSE = try fields.value("prior_mse", Read.number)
            mseBound = try fields.optional("mse_bound", Read.number)
            note = try fields.value("note", Read.string)
        }

        public var json: JSON {
            [
                "message_bits_mean": messageBitsMean.json, "message_bits_p99": messageBitsP99.json,
                "message_bits_max": messageBitsMax.json, "capacity_bits": capacityBits.json, "prior_mse": priorMSE.json,
                "mse_bound": mseBound.json, "note": note.json,
            ]
        }
    }
}
