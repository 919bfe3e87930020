"""The page."""

from django.shortcuts import render

PRODUCTS = [{"name": f"Product <{number}>", "cents": number * 125} for number in range(1, 6)]


def catalogue(request):
    return render(request, "catalogue.html", {"products": PRODUCTS})
