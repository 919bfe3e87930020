# frozen_string_literal: true

require_relative "headers"
require_relative "hijack"
require_relative "stream"

module Passenger
  # Sends a response of any kind that Rack knows, and closes its body. (Arrays of strings, the most common kind, do not
  # come here: RequestHandler gives them to the channel as they are.)
  class Response
    RACK_3 = ::Rack.release.to_i >= 3

    def initialize(channel, env, status, headers, body)
      @channel = channel
      @env = env
      @status = status.to_i
      @headers = headers
      @body = body
    end

    def deliver
      @headers = Headers.plain(@headers) { |name, value| @hijack = value if name == "rack.hijack" }
      if (callable = upgrade)
        hand_over(callable)
      else
        send_response
      end
    ensure
      @body.close if !@closed && @body.respond_to?(:close)
    end

    private

    def send_response
      if @channel.bodiless?(@status) then @channel.start(@status, @headers, true)
      elsif (parts = array) then send_array(parts)
      elsif (file = open_file) then send_file(file)
      elsif @body.respond_to?(:each) then send_each
      elsif @body.respond_to?(:call) then call_body
      else
        raise InvalidResponse, "a response body must respond to each or call; this is #{@body.class}"
      end
    end

    # What wants the client's connection: the callable of a partial hijack, or of a 101.
    def upgrade
      @hijack || (@body if @status == 101 && @body.respond_to?(:call))
    end

    def hand_over(callable)
      @channel.start_upgrade(@status, @headers)
      callable.call(Hijack.take_over(@channel))
    end

    def length
      @length ||= Headers.content_length(@headers)
    end

    def array
      # Rack 2's BodyProxy hides the array in it: sent part by part it would have no length.
      inner = @body
      inner = inner.instance_variable_get(:@body) while inner.instance_of?(::Rack::BodyProxy)
      return inner if inner.is_a?(Array)
      return unless RACK_3 && @body.respond_to?(:to_ary)

      # Rack 3: to_ary closes the body.
      @body.to_ary.tap { |parts| @closed = !parts.nil? }
    end

    def send_array(parts)
      return if @channel.respond(@status, @headers, parts)

      raise InvalidResponse, "the parts of a response body must be strings"
    end

    # A file's descriptor goes to the agent, unless only a part of it is meant.
    def open_file
      return unless @body.respond_to?(:to_path)

      file = File.open(@body.to_path, "rb")
      return file if file.stat.file? && [nil, file.size].include?(length)

      file.close
      nil
    rescue SystemCallError
      nil
    end

    def send_file(file)
      @channel.start(@status, @headers, false)
      @channel.file(file, file.size)
    ensure
      file.close
    end

    def send_each
      length ? send_sized(length) : send_parts
    end

    # The head goes ahead: a body that waits for something to happen may want the client to know that it listens.
    def send_parts
      @channel.start(@status, @headers, false)
      @channel.flush
      @body.each { |part| return @channel.cancel unless @channel.write(part, false) }
      @channel.write("", true)
    end

    # With the length known, the part that completes the body ends the answer; if it is the only one, all is one frame.
    # The iteration goes on, as what follows the last part may matter to the application.
    def send_sized(missing)
      @body.each do |part|
        part = part.byteslice(0, missing)
        missing -= part.bytesize
        next if part.empty?
        return @channel.cancel unless send_sized_part(part, missing.zero?)
      end
      return if @channel.answered?

      @channel.begun? ? @channel.write("", true) : @channel.start(@status, @headers, true)
    end

    def send_sized_part(part, last)
      return @channel.write(part, last) if @channel.begun?
      return @channel.respond(@status, @headers, [part]) if last

      @channel.start(@status, @headers, false)
      @channel.write(part, false)
    end

    def call_body
      @channel.start(@status, @headers, false)
      @channel.flush
      stream = Stream.new(@channel, @env["rack.input"])
      @body.call(stream)
      # A slot serves one request after the other: what a thread of the application would write later comes too late.
      stream.close
    end
  end
end
