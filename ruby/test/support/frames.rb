# frozen_string_literal: true

# The agent's side of docs/protocol.md, written from that text and not from the Rust code.
module Frames
  END_FLAG = 1
  REPEATED = 2
  KINDS = {
    1 => :request, 3 => :response, 4 => :data, 5 => :file, 6 => :informational, 9 => :upgrade, 10 => :cancel
  }.freeze
  IDS = %w[
    - host user-agent accept accept-encoding accept-language connection cookie content-length content-type referer
  ].each_with_index.to_h.freeze

  Frame = Struct.new(:kind, :flags, :aux, :stream, :value, :payload) do
    def end? = flags.anybits?(END_FLAG)

    # Of a response or informational frame: the headers as pairs, in order.
    def headers
      length = payload.unpack1("V")
      entries = payload.byteslice(4, length)
      result = []
      until entries.empty?
        name_length, id, value_length = entries.unpack("vvV")
        raise "a response header must not have an id" unless id.zero?

        result << [entries.byteslice(8, name_length), entries.byteslice(8 + name_length, value_length)]
        entries = entries.byteslice((8 + name_length + value_length)..)
      end
      result
    end

    def body = kind == :response ? payload.byteslice((4 + payload.unpack1("V"))..) : payload

    # Of a file frame.
    def range = payload.unpack("Q<Q<")
  end

  module_function

  def frame(kind, stream:, flags: 0, aux: 0, payload: "")
    [payload.bytesize, kind, flags, aux, stream, 0].pack("VCCvVV") + payload.b
  end

  # +headers+ are pairs; names of IDS travel as ids, others in CGI style.
  def request(target = "/", method: "GET", headers: { "host" => "example.com" }, body: "", stream: 258, protocol: 11,
              scheme: 0, peer: "127.0.0.1", peer_port: 50_000, local_port: 3000, script: "", flags: 0, file_size: nil)
    fixed = [protocol, scheme, method.bytesize, peer.bytesize, peer_port, local_port, target.bytesize, script.bytesize,
             0, file_size || body.bytesize].pack("CCCCvvVvvQ<")
    payload = fixed + method.b + target.b + peer.b + block(headers) + body.b
    frame(1, stream: stream, flags: flags | END_FLAG, aux: file_size ? 1 : 0, payload: payload)
  end

  def cancel(stream) = frame(10, stream: stream)

  def block(headers)
    entries = headers.map do |name, value|
      id = IDS[name.downcase]
      name = id ? "" : "HTTP_#{name.upcase.tr('-', '_')}"
      [name.bytesize, id || 0, value.bytesize].pack("vvV") + name.b + value.b
    end.join
    [entries.bytesize].pack("V") + entries
  end

  # Takes the first frame off +bytes+, in place; nil if it is not all there.
  def take(bytes)
    length, kind, flags, aux, stream, value = bytes.unpack("VCCvVV")
    return if value.nil? || bytes.bytesize < 16 + length

    payload = bytes.byteslice(16, length)
    bytes.replace(bytes.byteslice((16 + length)..))
    Frame.new(KINDS.fetch(kind), flags, aux, stream, value, payload)
  end
end
