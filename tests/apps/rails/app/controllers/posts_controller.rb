# frozen_string_literal: true

# The blog's pages.
class PostsController < ApplicationController
  def index
    @posts = Post.order(:id)
  end

  def show
    @post = Post.find(params[:id])
  end

  def new
    @post = Post.new
  end

  def create
    @post = Post.new(params.require(:post).permit(:title, :body))
    if @post.save
      redirect_to @post, notice: "Post saved."
    else
      render :new, status: :unprocessable_entity
    end
  end
end
