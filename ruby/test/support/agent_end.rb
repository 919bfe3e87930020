# frozen_string_literal: true

# The agent's end of a data channel.
class AgentEnd
  # Descriptors that came with the frames received so far, as IOs.
  attr_reader :files

  def initialize(socket)
    @socket = socket
    @bytes = String.new
    @files = []
  end

  # The first byte takes the descriptor of +file+ along.
  def write(bytes, file: nil)
    sent = file ? @socket.sendmsg(bytes, 0, nil, Socket::AncillaryData.unix_rights(file)) : 0
    @socket.write(bytes.byteslice(sent..))
  end

  # Sends a request as Frames.request makes it, and returns all frames of its answer.
  def exchange(target = "/", stream: 258, file: nil, **request)
    write(Frames.request(target, stream: stream, **request), file: file)
    receive_answer(stream)
  end

  def receive_answer(stream = 258)
    frames = [receive]
    frames << receive until frames.last.end?
    raise "frames of other streams: #{frames.map(&:stream)}" unless frames.all? { |frame| frame.stream == stream }

    frames
  end

  # The next frame. Raises EOFError at the end of the channel.
  def receive
    Timeout.timeout(60) do
      loop do
        frame = Frames.take(@bytes)
        return frame if frame

        receive_bytes
      end
    end
  end

  # Whether nothing arrives within some seconds.
  def quiet?(seconds = 0.1)
    @bytes.empty? && !@socket.wait_readable(seconds)
  end

  def close_write = @socket.shutdown(Socket::SHUT_WR)
  def close = @socket.close

  private

  def receive_bytes
    bytes, _, _, *controls = @socket.recvmsg(1 << 20, 0, 4096, scm_rights: true)
    raise EOFError, "the slot has closed its channel" if bytes.nil? || bytes.empty?

    @files.concat(controls.flat_map(&:unix_rights))
    @bytes << bytes
  end
end
