import SplitKit
import SwiftUI

/// What would leave the phone of each camera frame, with the answer, the rate and the temperature.
struct LiveView: View {
    @Environment(Session.self) private var session
    @State private var camera: LiveCamera?
    @State private var error: String?
    @State private var mosaic: FeatureMosaic?
    @State private var answer = ""
    @State private var line = ""
    @State private var withTail = false

    var body: some View {
        VStack(spacing: 12) {
            if let image = mosaic?.image {
                Image(decorative: image, scale: 1).interpolation(.none).resizable().scaledToFit()
            }
            Text(answer)
            Text(line).font(.caption.monospaced())
            if let error { Text(error).foregroundStyle(.red) }
            Toggle("Ask the tail", isOn: $withTail)
            Button(camera == nil ? "Start" : "Stop") { camera == nil ? start() : stop() }
                .buttonStyle(.borderedProminent)
        }
        .padding()
        .onDisappear { stop() }
    }

    private func start() {
        error = nil
        let camera = LiveCamera { photo in await work(photo) }
        self.camera = camera
        Task {
            do {
                try await camera.start()
            } catch {
                self.error = error.localizedDescription
                self.camera = nil
            }
        }
    }

    private func stop() {
        camera?.stop()
        camera = nil
    }

    /// One frame.
    private func work(_ photo: StoredPhoto) async {
        do {
            let shape = Array(try session.bundle.get().manifest.smashed().shape.dropFirst())
            let client = try await session.client()
            let features = try await client.protect(photo)
            mosaic = FeatureMosaic(smashed: features.smashed, shape: shape)
            if withTail {
                answer = try await client.ask(features).reading.lines.first ?? ""
            }
            let rate = camera?.rate
            let speed = (rate?.perSecond ?? 0).formatted(.number.precision(.fractionLength(1)))
            line = "\(speed) frames/s, \(rate?.dropped ?? 0) dropped, thermal state \(Condition().thermalStatus ?? "unknown")"
        } catch {
            self.error = error.localizedDescription
        }
    }
}
