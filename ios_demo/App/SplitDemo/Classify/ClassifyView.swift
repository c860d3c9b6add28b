import PhotosUI
import SplitKit
import SwiftUI
import UIKit

/// A photo, what of it leaves the phone, and the answer.
struct ClassifyView: View {
    @Environment(Session.self) private var session
    @State private var job = Job()
    @State private var picked: PhotosPickerItem?
    @State private var showsCamera = false
    @State private var image: UIImage?
    @State private var mosaic: FeatureMosaic?
    @State private var result: SplitClient.Answer?
    /// Of an embedding, its cosine with that of the photo before.
    @State private var likeBefore: Double?

    private static let lines = 8

    var body: some View {
        ScrollView {
            VStack(spacing: 16) {
                HStack {
                    PhotosPicker("Choose a photo", selection: $picked, matching: .images)
                    if Camera.isThere { Button("Take one") { showsCamera = true } }
                }
                HStack {
                    if let image { picture(Image(uiImage: image), "stays here") }
                    if let mosaic = mosaic?.image {
                        picture(Image(decorative: mosaic, scale: 1).interpolation(.none), "leaves the phone")
                    }
                }
                if job.isRunning { ProgressView() }
                if let error = job.error { Text(error).foregroundStyle(.red) }
                if let result { answer(result) }
            }
            .padding()
        }
        .onChange(of: picked) { _, item in
            if let item { load(item) }
        }
        .sheet(isPresented: $showsCamera) {
            Camera { taken in classify(taken) }
        }
    }

    private func picture(_ image: Image, _ caption: String) -> some View {
        VStack {
            image.resizable().scaledToFit().frame(maxHeight: 220)
            Text(caption).font(.caption)
        }
    }

    private func answer(_ result: SplitClient.Answer) -> some View {
        VStack(alignment: .leading, spacing: 8) {
            ForEach(Array(result.reading.lines.prefix(Self.lines).enumerated()), id: \.offset) { line in
                Text(line.element).font(.caption.monospaced())
            }
            if result.reading.lines.count > Self.lines { Text("… and \(result.reading.lines.count - Self.lines) more") }
            if let likeBefore {
                Text("cosine with the photo before: \(likeBefore.formatted(.number.precision(.fractionLength(3))))")
            }
            if case .segments(let found) = result.reading, let mask = found.image {
                picture(Image(decorative: mask, scale: 1).interpolation(.none), "what the answer says is where")
            }
            Text(timing(result))
            .font(.caption)
        }
    }

    private func timing(_ result: SplitClient.Answer) -> String {
        let ms = { (value: Double) in value.formatted(.number.precision(.fractionLength(1))) + " ms" }
        let rest =
            if let tail = result.tailMs {
                "network \(ms(result.roundTripMs - tail)), tail \(ms(tail))"
            } else {
                "network and tail \(ms(result.roundTripMs))"
            }
        return "head \(ms(result.headMs)), \(rest), \(result.bytesSent) bytes sent"
    }

    private func load(_ item: PhotosPickerItem) {
        job.start {
            guard let data = try await item.loadTransferable(type: Data.self), let image = UIImage(data: data) else {
                throw BundleError("This photo cannot be read; choose another.")
            }
            try await run(image)
        }
    }

    private func classify(_ image: UIImage) {
        job.start { try await run(image) }
    }

    private func run(_ image: UIImage) async throws {
        let before = result?.reading
        (self.image, mosaic, result, likeBefore) = (image, nil, nil, nil)
        let bundle = try session.bundle.get()
        guard let pixels = image.cgImage, let photo = StoredPhoto(pixels, orientation: Orientation(image.imageOrientation)) else {
            throw BundleError("This photo cannot be drawn; choose another.")
        }
        let client = try await session.client()
        let features = try await client.protect(photo)
        mosaic = FeatureMosaic(smashed: features.smashed, shape: Array(try bundle.manifest.smashed().shape.dropFirst()))
        let answer = try await client.ask(features)
        (result, likeBefore) = (answer, before.flatMap { answer.reading.cosine($0) })
    }
}
