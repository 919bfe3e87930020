# frozen_string_literal: true

# Run Ruby applications: what an application can ask of the server that it runs in.
module Passenger
  # What a process may have in it that does not survive a fork.
  module Unforkable
    # Libraries with threads of their own, of which Ruby knows nothing, by a constant that tells that they are loaded.
    LIBRARIES = { "grpc" => "GRPC::Core", "rdkafka" => "Rdkafka::Bindings", "ruby-vips" => "Vips::Image" }.freeze

    class << self
      attr_writer :said

      # In one line; nil if there is nothing.
      def reason
        return @said if @said

        library, = LIBRARIES.find { |_, constant| Object.const_defined?(constant) }
        library && "the library #{library} is loaded, which does not work in a copy of a process that has used it"
      end
    end
  end

  # Says that this process must not be forked any more: it is not made a preloader by `refork_after`. It may be called
  # at any time; while the application is loading it holds for all workers.
  #
  #   Passenger.fork_unsafe!("has a session with the payment terminal")
  def self.fork_unsafe!(reason = nil)
    Unforkable.said = ["the application has called Passenger.fork_unsafe!", reason].compact.join(": ")
    nil
  end
end
